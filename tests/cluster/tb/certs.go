package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const validity = 10 * 365 * 24 * time.Hour

// authority is a certificate authority that lives for one test cluster.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	dir  string
}

func certs(args []string) error {
	fs := flag.NewFlagSet("certs", flag.ExitOnError)
	dir := fs.String("dir", "", "where the files go")
	server := fs.String("server", "", "the API server's address inside the test cluster")
	port := fs.Int("port", 6443, "the API server's port inside the test cluster")
	local := fs.String("local", "", "HOST:PORT where the API server is reached from outside the test cluster")
	service := fs.String("service-ip", "", "the first address of the service range")
	nodes := fs.String("nodes", "", "NAME=IP of every node, separated by commas")
	fs.Parse(args)

	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(*dir, "ca", "tidemill-test-ca")
	if err != nil {
		return err
	}
	// The aggregation layer needs an authority of its own, or any client
	// certificate could pose as the front proxy.
	front, err := newAuthority(*dir, "front-proxy-ca", "tidemill-test-front-proxy-ca")
	if err != nil {
		return err
	}

	err = ca.issue("apiserver", "kube-apiserver", nil, []string{
		"localhost", "127.0.0.1", *server, *service,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}, x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	if err := ca.issue("apiserver-kubelet-client", "kube-apiserver-kubelet-client", []string{"system:masters"}, nil, x509.ExtKeyUsageClientAuth); err != nil {
		return err
	}
	if err := front.issue("front-proxy-client", "front-proxy-client", nil, nil, x509.ExtKeyUsageClientAuth); err != nil {
		return err
	}
	if err := serviceAccountKeys(*dir); err != nil {
		return err
	}

	inside := fmt.Sprintf("https://%s:%d", *server, *port)
	clients := []struct{ name, user, group string }{
		{"admin", "admin", "system:masters"},
		{"controller-manager", "system:kube-controller-manager", ""},
		{"scheduler", "system:kube-scheduler", ""},
		{"kube-proxy", "system:kube-proxy", ""},
		{"coredns", "system:coredns", ""},
	}
	for _, c := range clients {
		if err := ca.client(c.name, c.user, c.group, inside); err != nil {
			return err
		}
	}
	for _, node := range strings.Split(*nodes, ",") {
		name, ip, ok := strings.Cut(node, "=")
		if !ok {
			return fmt.Errorf("-nodes: %q is not NAME=IP", node)
		}
		if err := ca.client("kubelet-"+name, "system:node:"+name, "system:nodes", inside); err != nil {
			return err
		}
		if err := ca.issue("kubelet-"+name+"-server", "system:node:"+name, []string{"system:nodes"}, []string{name, ip, "127.0.0.1"}, x509.ExtKeyUsageServerAuth); err != nil {
			return err
		}
	}
	if *local != "" {
		data, err := os.ReadFile(filepath.Join(*dir, "admin.kubeconfig"))
		if err != nil {
			return err
		}
		outside := strings.ReplaceAll(string(data), inside, "https://"+*local)
		return os.WriteFile(filepath.Join(*dir, "kubeconfig"), []byte(outside), 0o600)
	}
	return nil
}

func newAuthority(dir, file, name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	ca := &authority{cert: cert, key: key, dir: dir, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	return ca, writePair(dir, file, der, key)
}

// issue writes NAME.crt and NAME.key.
func (ca *authority) issue(file, user string, groups, hosts []string, usage x509.ExtKeyUsage) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: user, Organization: groups},
		NotBefore:    ca.cert.NotBefore,
		NotAfter:     ca.cert.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return err
	}
	return writePair(ca.dir, file, der, key)
}

// client issues a client certificate and writes NAME.kubeconfig, which holds it.
func (ca *authority) client(file, user, group, server string) error {
	var groups []string
	if group != "" {
		groups = []string{group}
	}
	if err := ca.issue(file, user, groups, nil, x509.ExtKeyUsageClientAuth); err != nil {
		return err
	}
	crt, err := os.ReadFile(filepath.Join(ca.dir, file+".crt"))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(ca.dir, file+".key"))
	if err != nil {
		return err
	}
	b64 := base64.StdEncoding.EncodeToString
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: tidemill-test
contexts:
- name: tidemill-test
  context: {cluster: tidemill-test, user: %[1]q}
clusters:
- name: tidemill-test
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[1]q
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
`, user, server, b64(ca.pem), b64(crt), b64(key))
	return os.WriteFile(filepath.Join(ca.dir, file+".kubeconfig"), []byte(config), 0o600)
}

// serviceAccountKeys writes sa.key and sa.pub, which sign and check service
// account tokens.
func serviceAccountKeys(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, "sa.key"), key); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "sa.pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644)
}

func writePair(dir, file string, der []byte, key *ecdsa.PrivateKey) error {
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, file+".crt"), crt, 0o644); err != nil {
		return err
	}
	return writeKey(filepath.Join(dir, file+".key"), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
