package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// forward accepts TCP connections in one network namespace and dials them on in
// another: the test cluster's namespaces have no other way in or out.
func forward(args []string) error {
	fs := flag.NewFlagSet("forward", flag.ExitOnError)
	listenNS := fs.Int("listen-ns", 0, "the process whose network namespace to listen in; 0: this one's")
	dialNS := fs.Int("dial-ns", 0, "the process whose network namespace to dial in; 0: this one's")
	fs.Parse(args)
	if fs.NArg() == 0 {
		return fmt.Errorf("forward: no LISTEN=DIAL given")
	}

	in, err := inNamespace(*listenNS)
	if err != nil {
		return err
	}
	out, err := inNamespace(*dialNS)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, arg := range fs.Args() {
		listen, dial, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("forward: %q is not LISTEN=DIAL", arg)
		}
		var l net.Listener
		in(func() { l, err = net.Listen("tcp", listen) })
		if err != nil {
			return err
		}
		wg.Go(func() { accept(l, dial, out) })
	}
	wg.Wait()
	return nil
}

func accept(l net.Listener, dial string, out func(func())) {
	for {
		a, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "tb:", err)
			return
		}
		go func() {
			defer a.Close()
			var b net.Conn
			var err error
			out(func() { b, err = net.DialTimeout("tcp", dial, 5*time.Second) })
			if err != nil {
				fmt.Fprintln(os.Stderr, "tb:", err)
				return
			}
			defer b.Close()
			done := make(chan struct{})
			go func() { pipe(a, b); close(done) }()
			pipe(b, a)
			<-done
		}()
	}
}

func pipe(dst, src net.Conn) {
	io.Copy(dst, src)
	if c, ok := dst.(*net.TCPConn); ok {
		c.CloseWrite()
	}
}

// inNamespace gives a function that runs another on a thread which is in the
// network namespace of process pid. A socket stays in the namespace it was made
// in, so only its making goes there. The thread is never used for anything else.
func inNamespace(pid int) (func(func()), error) {
	if pid == 0 {
		return func(f func()) { f() }, nil
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	type job struct {
		f    func()
		done chan struct{}
	}
	jobs := make(chan job)
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			ready <- fmt.Errorf("failed to enter the network of process %d: %w", pid, err)
			return
		}
		ready <- nil
		for j := range jobs {
			j.f()
			close(j.done)
		}
	}()
	if err := <-ready; err != nil {
		return nil, err
	}
	return func(f func()) {
		j := job{f, make(chan struct{})}
		jobs <- j
		<-j.done
	}, nil
}

// wait asks an endpoint until it answers 200.
func wait(args []string) error {
	fs := flag.NewFlagSet("wait", flag.ExitOnError)
	url := fs.String("url", "", "the endpoint")
	ca := fs.String("ca", "", "the authority that its certificate must come from")
	timeout := fs.Duration("timeout", time.Minute, "how long to ask")
	fs.Parse(args)
	roots := x509.NewCertPool()
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return err
		}
		roots.AppendCertsFromPEM(pem)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	last := fmt.Errorf("no answer yet")
	for end := time.Now().Add(*timeout); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		r, err := client.Get(*url)
		if err != nil {
			last = err
			continue
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return nil
		}
		last = fmt.Errorf("%s", r.Status)
	}
	return fmt.Errorf("%s: after %s still %w", *url, *timeout, last)
}
