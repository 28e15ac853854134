// Command bench measures what a step costs: a chain of Python steps that do nothing, and many at once, compiled by the kfp SDK
// and submitted over HTTP to a real server. Beside it stand the limits of the machine, measured in the same minutes:
// starting Python, starting any process, forking a warm host, and one fsync. bench/peers measures other programs.
//
// It is a client of the product and imports none of it. `make bench` runs it; docs/performance.md explains the
// numbers. Start reading at measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	binary string
	steps  int
	runs   int
	out    string
	modes  string
	// peers are what to measure Levada beside, rounds how often, and budget how long that may take.
	peers  string
	rounds int
	budget time.Duration
	fanout int
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/levada", "the server to measure")
	flag.IntVar(&o.steps, "steps", 40, "length of the chain: 10 or 40")
	flag.IntVar(&o.runs, "runs", 5, "how often each measurement is made")
	flag.StringVar(&o.out, "out", "bench/out", "folder for the results")
	flag.StringVar(&o.modes, "modes", "warm,exec", "how steps are started: warm, exec or both")
	flag.StringVar(&o.peers, "peers", "", "instead measure Levada beside these: all, or folders below bench/peers, with commas")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each peer is measured")
	flag.DurationVar(&o.budget, "budget", 25*time.Minute, "how long all peers together may take, installation aside")
	flag.IntVar(&o.fanout, "fanout", 1000, "steps of the fan-out; 0 leaves it out")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if o.runs < 1 || o.rounds < 1 {
		return fmt.Errorf("-runs is %d and -rounds is %d, want at least 1", o.runs, o.rounds)
	}
	chain := filepath.Join("bench", "testdata", fmt.Sprintf("chain-%d.yaml", o.steps))
	spec, err := os.ReadFile(chain)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no chain of %d steps (%s); bench/testdata/chain.py compiles one", o.steps, chain)
	}
	if err != nil {
		return err
	}
	if o.peers != "" {
		c, err := besidePeers(ctx, o)
		if err != nil {
			return err
		}
		return report(c, o.out)
	}
	result, err := measure(ctx, o, spec)
	if err != nil {
		return err
	}
	return report(result, o.out)
}

// report prints what was found and writes it into a folder.
func report(found interface {
	markdown() string
	save(folder string) (string, error)
}, folder string) error {
	fmt.Println(found.markdown())
	path, err := found.save(folder)
	if err != nil {
		return err
	}
	fmt.Println("written to", path)
	return nil
}

// measure takes all numbers. The limits are taken between the runs, so that a machine that is busy for a while slows both.
func measure(ctx context.Context, o options, spec []byte) (*result, error) {
	machine, err := describeMachine(ctx, o.binary)
	if err != nil {
		return nil, err
	}
	r := &result{At: time.Now().UTC().Truncate(time.Second), Machine: machine, Steps: o.steps}
	for mode := range strings.SplitSeq(o.modes, ",") {
		m, err := measureMode(ctx, o, mode, spec, r)
		if err != nil {
			return nil, fmt.Errorf("measure %s steps: %w", mode, err)
		}
		r.Modes = append(r.Modes, m)
	}
	for _, mode := range []string{"warm", "reuse"} {
		if o.fanout == 0 {
			break
		}
		f, err := measureFanout(ctx, o, mode)
		if err != nil {
			return nil, fmt.Errorf("measure the fan-out, %s: %w", mode, err)
		}
		r.Fanouts = append(r.Fanouts, f)
	}
	if r.Engine, err = measureEngine(ctx, o); err != nil {
		return nil, fmt.Errorf("measure the engine: %w", err)
	}
	if r.Start, err = measureStart(ctx, o); err != nil {
		return nil, fmt.Errorf("measure the start of the server: %w", err)
	}
	return r, nil
}

// measureMode runs the chain on a fresh server. Every run starts the chain with another number, so that none of its
// steps finds its result in the cache; then the last run is made again, and all of them do.
func measureMode(ctx context.Context, o options, mode string, spec []byte, r *result) (modeResult, error) {
	m := modeResult{Mode: mode}
	s, err := startServer(ctx, o.binary, mode)
	if err != nil {
		return m, err
	}
	defer s.stop()
	pipeline, err := s.upload(ctx, fmt.Sprintf("chain-%d", o.steps), spec)
	if err != nil {
		return m, err
	}
	// The first run builds the environment of the steps and is told apart.
	first, err := s.time(ctx, pipeline, from(0))
	if err != nil {
		return m, err
	}
	m.First = seconds(first)
	for i := range o.runs {
		took, err := s.time(ctx, pipeline, from((i+1)*1000))
		if err != nil {
			return m, err
		}
		m.Runs = append(m.Runs, seconds(took))
		if err := r.Limits.take(ctx, r.Machine.Interpreter, s.folder); err != nil {
			return m, fmt.Errorf("measure the limits of the machine: %w", err)
		}
	}
	for range o.runs {
		took, err := s.time(ctx, pipeline, from(o.runs*1000))
		if err != nil {
			return m, err
		}
		m.Cached = append(m.Cached, seconds(took))
	}
	return m, nil
}

// from are the parameters of a chain.
func from(start int) map[string]any { return map[string]any{"start": start} }

// measureStart times the server from its start to its first healthy answer, each time on an empty folder.
func measureStart(ctx context.Context, o options) (sample, error) {
	var out sample
	for range o.runs {
		s, err := startServer(ctx, o.binary, "warm")
		if err != nil {
			return nil, err
		}
		s.stop()
		out = append(out, seconds(s.startup))
	}
	return out, nil
}
