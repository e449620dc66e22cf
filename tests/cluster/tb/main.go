// tb is the test cluster's small helper; it builds in seconds and can be tested
// apart from Kubernetes.
//
//	tb certs   -dir D -server 198.18.0.1 -port 6443 ...   a CA, certificates and kubeconfigs
//	tb image   -o x.tar -ref localhost/x:1 ...             an OCI image without a registry
//	tb forward -dial-ns PID ADDR=ADDR ...                  TCP from one network namespace to another
//	tb free-port                                           a TCP port that nothing listens on
//	tb wait    -url https://... -ca F -timeout 60s         until an HTTP endpoint answers 200
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fatal(fmt.Errorf("usage: tb certs|image|forward|free-port|wait ..."))
	}
	var err error
	switch os.Args[1] {
	case "certs":
		err = certs(os.Args[2:])
	case "image":
		err = image(os.Args[2:])
	case "forward":
		err = forward(os.Args[2:])
	case "free-port":
		err = freePort()
	case "wait":
		err = wait(os.Args[2:])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	fatal(err)
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "tb:", err)
		os.Exit(1)
	}
}
