// Command serve measures what one prediction for one row costs in a client's eyes: Levada beside servers of the field, each in its own
// environment, with the same scikit-learn model, over real HTTP on this machine.
//
// It knows the product only from outside. `make bench-serve` runs it; docs/performance.md has results.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

type options struct {
	levada, out, only string
	environments      string
	seconds           float64
	clients, rates    string
	overload          float64
}

// result is what was found of one server.
type result struct {
	Server  string `json:"server"`
	Form    string `json:"form"`
	Version string `json:"version,omitempty"`
	// Error says why there is nothing else.
	Error string `json:"error,omitempty"`
	// ColdSeconds is from the start of the process, or of the deployment, to the first prediction.
	ColdSeconds float64 `json:"cold_start_seconds"`
	// MemoryMiB is what all processes of the server held (PSS) after the loads.
	MemoryMiB float64 `json:"memory_mib"`
	Loads     []load  `json:"loads"`
}

// report is everything that one call found.
type report struct {
	At        time.Time `json:"at"`
	Go        string    `json:"go"`
	Machine   string    `json:"machine"`
	Cores     int       `json:"cores"`
	BusyLoad  string    `json:"load_average_before"`
	Seconds   float64   `json:"seconds_per_load"`
	Results   []result  `json:"results"`
	Predicted string    `json:"request"`
}

func main() {
	var o options
	home, _ := os.UserCacheDir() // the flag may say another
	flag.StringVar(&o.levada, "levada", "bin/levada", "the program that is measured")
	flag.StringVar(&o.out, "out", "bench/out", "folder for serve.md and serve.json")
	flag.StringVar(&o.only, "only", "levada,fastapi,mlflow,mlserver,bentoml,ray", "servers, in this order; those that end in -onnx have the model in that format, those in -flights the one of flights; levada-onnx+log=SHARE logs a share of the requests; limit always answers the same")
	flag.StringVar(&o.environments, "environments", filepath.Join(home, "levada-bench"), "folder with the environments serve-NAME")
	flag.Float64Var(&o.seconds, "seconds", 5, "length of each load")
	flag.StringVar(&o.clients, "clients", "1,8,64", "connections that ask as fast as they are answered")
	flag.StringVar(&o.rates, "rates", "100,500,1000", "requests a second that come whether earlier ones were answered or not")
	flag.Float64Var(&o.overload, "overload", 2, "how many times as many requests come in the end as the server answered at most; 0 for no such load")
	answer := flag.String("answer", "", "be the server that always answers the same, at this address")
	flag.Parse()
	if *answer != "" {
		fmt.Fprintln(os.Stderr, "serve:", answerAlways(*answer))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	average, _ := os.ReadFile("/proc/loadavg") // there is none elsewhere
	r := report{At: time.Now().UTC(), Go: runtime.Version(), Machine: processorName(), Cores: runtime.NumCPU(), BusyLoad: strings.TrimSpace(string(average)), Seconds: o.seconds,
		Predicted: "one row"}
	for name := range strings.SplitSeq(o.only, ",") {
		for _, res := range measure(ctx, o, name) {
			r.Results = append(r.Results, res)
			fmt.Fprintf(os.Stderr, "%s %s: %+v\n", res.Server, res.Form, summary(res))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "serve.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	page := markdown(r)
	fmt.Print(page)
	return os.WriteFile(filepath.Join(o.out, "serve.md"), []byte(page), 0o644)
}

func processorName() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // there is none elsewhere
	_, rest, _ := strings.Cut(string(text), "model name\t: ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

// measure starts a server and puts the loads on it. A server that cannot be measured has a result with an error.
func measure(ctx context.Context, o options, name string) []result {
	s, cold, err := start(ctx, o, name)
	if err != nil {
		return []result{{Server: name, Error: err.Error()}}
	}
	defer s.stop()
	var out []result
	for _, f := range s.forms {
		res := result{Server: name, Form: f.name, ColdSeconds: cold.Seconds()}
		url := s.url
		if f.grpc {
			url = s.grpcURL
		}
		if res.Loads, err = loads(ctx, o, url, f); err != nil {
			res.Error = err.Error()
		}
		res.MemoryMiB = s.memory()
		out = append(out, res)
	}
	return out
}
