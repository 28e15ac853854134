// Package config is Levada's one configuration: its settings, their defaults, and where each value comes from.
//
// A value from a flag wins over one from the environment, which wins over one from the file, which wins over the
// default. The package reads no environment and knows no other package of Levada: the caller hands everything in.
// Start reading at Config, then Load.
package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"levada/internal/core/fault"
)

// FileName is the configuration file that is read from the data directory when no other is named.
const FileName = "levada.yaml"

// Config holds every setting. The names in the file are those of the json tags.
type Config struct {
	// DataDir holds everything Levada keeps: the database, artifacts, logs, Python environments. The default is
	// $XDG_DATA_HOME/levada, or ~/.local/share/levada. It is absolute once loaded.
	DataDir string `json:"data"`
	// Listen is the address that `levada up` serves on, HOST:PORT. The default is 127.0.0.1:8080; port 0 takes a
	// free one.
	Listen string `json:"listen"`
	// Insecure allows an address that other machines can reach although there is no authentication. Default: false.
	Insecure bool `json:"insecure"`
	// LogLevel is the least important level that the server logs: debug, info (default), warn or error.
	LogLevel string `json:"log_level"`
	// LogFormat is text (default) or json.
	LogFormat string `json:"log_format"`
	// MaxParallel is the most steps that run at once. The default, 0, means two per CPU core, and at least 8.
	MaxParallel int `json:"max_parallel"`
	// WarmPython serves lightweight Python components from processes that have their imports done. Default: true.
	WarmPython bool `json:"warm_python"`
	// Isolation gives each step a /tmp of its own and makes mounts for it, where the kernel allows. Default: true.
	Isolation bool `json:"isolation"`
	// CacheMaxAge is how old a result may be to be reused, such as 12h, 30d or P30D. A task may say otherwise with the pod
	// annotation pipelines.kubeflow.org/max_cache_staleness. The default, empty, means any age.
	CacheMaxAge string `json:"cache_max_age"`
	// WebhookHosts are the hosts that webhooks and endpoints may reach although they are not on the public internet, separated by commas: HOST or
	// HOST:PORT, with http:// before it when requests may go unencrypted. Default: none.
	WebhookHosts string `json:"webhook_hosts"`
	// ServingMaxMiB is the largest body of a request for a prediction, in MiB. Default: 64.
	ServingMaxMiB int `json:"serving_max_mib"`
	// ServingPorts gives endpoints a port of their own, with /invocations and /ping at its root as a container of SageMaker has
	// them: NAME=PORT or NAME=HOST:PORT, separated by commas. Default: none.
	ServingPorts string `json:"serving_ports"`
	// ServingMemoryMiB is how much the workers of all served models may use together, in MiB: over it those end that were used least
	// recently, until the next request. The default, 0, means half of the machine's memory.
	ServingMemoryMiB int `json:"serving_memory_mib"`
	// ONNXRuntime is the shared library that runs models in the format ONNX, an absolute path; Off has Python run them. The default, "",
	// means the library in the environment of each model.
	ONNXRuntime string `json:"onnxruntime"`
	// ProfileSize is the largest table that the server profiles by itself, in MiB; 0 profiles none. The default is 10240.
	ProfileSize int `json:"profile_size"`
	// ProfileMemory bounds the memory of the process that profiles tables, in MiB, at least 128. The default is 1024.
	ProfileMemory int `json:"profile_memory"`
	// Images says which Python packages stand for a container image when its steps run as processes: an image name
	// to a list of requirements. Images that are not listed get the packages their steps ask for. Default: none.
	Images map[string][]string `json:"images"`
}

// CheckListen refuses an address that cannot be served, and one that other machines can reach unless Insecure says
// that this is meant.
func (c Config) CheckListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fault.Invalidf("listen on %q: want HOST:PORT, such as 127.0.0.1:8080", c.Listen)
	}
	if c.Insecure || isLoopback(host) {
		return nil
	}
	return fault.Invalidf("listen on %q: other machines could reach it, and this version has no authentication: whoever "+
		"can connect can run code here. Use 127.0.0.1 and a tunnel (ssh -L 8080:127.0.0.1:8080 HOST), or add --insecure "+
		"if the network is trusted", c.Listen)
}

// ServingPort is an address that serves one endpoint.
type ServingPort struct{ Endpoint, Address string }

// Ports reads ServingPorts. Without a host an address is on 127.0.0.1; one that other machines can reach is refused unless Insecure
// says that this is meant.
func (c Config) Ports() ([]ServingPort, error) {
	var out []ServingPort
	for entry := range strings.SplitSeq(c.ServingPorts, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		name, address, found := strings.Cut(entry, "=")
		if !strings.Contains(address, ":") {
			address = "127.0.0.1:" + address
		}
		host, port, err := net.SplitHostPort(address)
		if _, number := strconv.ParseUint(port, 10, 16); !found || name == "" || err != nil || number != nil {
			return nil, fault.Invalidf("serving_ports has %q; want NAME=PORT or NAME=HOST:PORT, such as iris=9000", entry)
		}
		if !c.Insecure && !isLoopback(host) {
			return nil, fault.Invalidf("serving_ports has %q: other machines could reach it, and this version has no authentication; add --insecure if the network is trusted", entry)
		}
		out = append(out, ServingPort{Endpoint: name, Address: address})
	}
	return out, nil
}

// isLoopback takes localhost by name; any other name could resolve to anything.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func defaults(environ map[string]string) Config {
	return Config{DataDir: defaultDataDir(environ), Listen: "127.0.0.1:8080", LogLevel: "info", LogFormat: "text",
		WarmPython: true, Isolation: true, ServingMaxMiB: 64, ProfileSize: 10 << 10, ProfileMemory: 1 << 10, Images: map[string][]string{}}
}

// defaultDataDir follows the XDG Base Directory Specification, which wants relative paths ignored. It is empty when
// there is no home.
func defaultDataDir(environ map[string]string) string {
	if x := environ["XDG_DATA_HOME"]; filepath.IsAbs(x) {
		return filepath.Join(x, "levada")
	}
	home := environ["HOME"]
	if home == "" {
		home = environ["USERPROFILE"]
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, ".local", "share", "levada")
}
