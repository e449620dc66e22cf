// One program that is each of the test cluster's servers, by the name it is run under.
// They share most of their code: together they are little larger than the largest
// alone, and are linked once.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // for the time zones of CronJobs

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	// What Kubernetes' own main packages register.
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"

	// The plugins that a cluster's DNS needs; the full CoreDNS has every cloud's.
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

var servers = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          func() { kubernetes(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() { kubernetes(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() { kubernetes(scheduler.NewSchedulerCommand()) },
	"kubelet":                 func() { kubernetes(kubelet.NewKubeletCommand(context.Background())) },
	"kube-proxy":              func() { kubernetes(proxy.NewProxyCommand()) },
	"coredns":                 runCoreDNS,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := servers[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "run this by the name of a server, not as %q\n", name)
		os.Exit(2)
	}
	run()
}

func kubernetes(command *cobra.Command) { os.Exit(cli.Run(command)) }

func runCoreDNS() {
	dnsserver.Directives = []string{"bind", "ready", "errors", "cache", "kubernetes"}
	coremain.Run()
}
