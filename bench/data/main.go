// Command data measures what is done with a table: its profile, twenty checks, its drift from another one; by Levada and by other programs,
// on the same files.
//
// It knows all of them only from outside: a command, the time it takes and the memory it needs. `make bench-data` builds what it needs and
// runs it. Start reading at main.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	levada, cache, out, tools, tasks string
	rows, wide, runs                 int
	budget                           time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.levada, "levada", "bin/levada", "the program to measure")
	flag.StringVar(&o.cache, "cache", "", "where the tables are kept, and the environments of the programs, as env-NAME")
	flag.StringVar(&o.out, "out", "bench/out", "where the result is written")
	flag.StringVar(&o.tools, "tools", "", "the programs that are measured; empty for all")
	flag.StringVar(&o.tasks, "tasks", "profile,check,drift,wide,flights", "what they do; flights is profile, check and drift of a month of flights")
	flag.IntVar(&o.rows, "rows", 10_000_000, "rows of the tables of 20 columns")
	flag.IntVar(&o.wide, "wide", 1_500_000, "rows of each of the two tables of 1,000 columns")
	flag.IntVar(&o.runs, "runs", 3, "how often each is run")
	flag.DurationVar(&o.budget, "budget", 10*time.Minute, "the longest that one run may take; what takes a twentieth of it is run once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Result is what a program took for a file: medians of its runs.
type Result struct {
	Task    string    `json:"task"`
	File    string    `json:"file"`
	Tool    string    `json:"tool"`
	Seconds []float64 `json:"seconds"`
	Median  float64   `json:"median_seconds"`
	CPU     float64   `json:"median_cpu_seconds"`
	MiB     float64   `json:"median_peak_mib"`
	Failed  string    `json:"failed,omitempty"`
}

// job is one piece of work for one program.
type job struct {
	task, tool string
	files      []string
	args       []string // of the program
}

// compared are the columns of the mixed table whose distributions are compared: those that are not keys, times or texts of any length.
const compared = "small,zipf,nulls,money,share,single,flag,kind,city,feature_0,feature_1,feature_2,feature_3,feature_4"

// comparedFlights are those of flights, and flightsMonth the month of 2013, which is compared with the one before it.
const (
	comparedFlights = "dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,origin,dest,air_time,distance,hour,minute"
	flightsMonth    = 2
)

// narrow are the columns of the wide table for programs that would take hours for all of them.
const narrow = "column_0,column_1,column_2,column_3,column_4,column_5,column_6,column_7,column_8,column_9"

// tools are the programs that can do a task, Levada first.
var tools = map[string][]string{
	"profile": {"levada", "duckdb", "polars", "whylogs", "tfdv"}, "check": {"levada", "duckdb", "polars", "gx", "tfdv"}, "drift": {"levada", "evidently"},
	"wide": {"levada", "levada-10", "evidently-10"},
}

// jobs are everything that is asked for.
func jobs(o options) []job {
	var out []job
	asked := strings.ReplaceAll(o.tasks, "flights", "flights profile,flights check,flights drift")
	for task := range strings.SplitSeq(asked, ",") {
		kind, rows := "mixed", o.rows
		name := ""
		task, flights := strings.CutPrefix(task, "flights ")
		switch {
		case flights:
			name, kind, rows = "flights ", "flights", flightsMonth
		case task == "wide":
			kind, rows = "wide", o.wide
		}
		folder := filepath.Join(o.cache, fmt.Sprintf("%s-%d", kind, rows))
		table, before := filepath.Join(folder, "table.parquet"), filepath.Join(folder, "before.parquet")
		files := [][]string{{table}}
		switch task {
		case "profile":
			files = append(files, []string{filepath.Join(folder, "table.csv")})
		case "drift", "wide":
			files = [][]string{{table, before}}
		}
		for _, f := range files {
			for _, tool := range tools[task] {
				if o.tools == "" || slices.Contains(strings.Split(o.tools, ","), tool) {
					out = append(out, job{task: name + task, tool: tool, files: f, args: arguments(o, task, tool, f, flights)})
				}
			}
		}
	}
	return out
}

// arguments are the command of a program for a task.
func arguments(o options, task, tool string, files []string, flights bool) []string {
	columns, suite := compared, "bench/data/suite.json"
	if flights {
		columns, suite = comparedFlights, "bench/data/flights.json"
	}
	name, few := strings.CutSuffix(tool, "-10")
	if few {
		columns = narrow
	}
	if name != "levada" {
		if task == "wide" {
			task = "drift"
		}
		python := filepath.Join(o.cache, "env-"+name, "bin", "python")
		return append([]string{"env", "COLUMNS_COMPARED=" + columns, python, "bench/data/peers.py", task, name, strconv.Itoa(runtime.NumCPU())}, files...)
	}
	switch task {
	case "profile":
		return []string{o.levada, "data", "profile", files[0], "-o", "json"}
	case "check":
		return []string{o.levada, "data", "check", files[0], "--suite", suite, "-o", "json"}
	}
	args := []string{o.levada, "data", "drift", files[1], files[0], "-o", "json"}
	if task == "drift" || few {
		args = append(args, "--columns", columns)
	}
	return args
}

func run(ctx context.Context, o options) error {
	var results []Result
	for _, j := range jobs(o) {
		if err := generate(ctx, o, filepath.Dir(j.files[0])); err != nil {
			return err
		}
		r := measure(ctx, o, j)
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s %s %s: %.2f s, %.1f CPU s, %.0f MiB %s\n", r.Task, r.File, r.Tool, r.Median, r.CPU, r.MiB, r.Failed)
		results = append(results, r)
	}
	return report(o, results)
}

// generate writes the tables of a folder, whose name says which, once.
func generate(ctx context.Context, o options, folder string) error {
	if _, err := os.Stat(filepath.Join(folder, "before.parquet")); err == nil {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "writing tables to %s (once)\n", folder)
	kind, rows, _ := strings.Cut(filepath.Base(folder), "-")
	environment := "env-duckdb"
	if kind == "flights" {
		environment = "env-flights"
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.cache, environment, "bin", "python"), "bench/data/generate.py", kind, rows, folder)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("write the tables: %w", err)
	}
	return nil
}

// measure runs a program a few times.
func measure(ctx context.Context, o options, j job) Result {
	r := Result{Task: j.task, File: filepath.Base(j.files[0]), Tool: j.tool}
	var cpu, memory []float64
	for range o.runs {
		limited, cancel := context.WithTimeout(ctx, o.budget)
		cmd := exec.CommandContext(limited, j.args[0], j.args[1:]...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		start := time.Now()
		err := cmd.Run()
		took := time.Since(start).Seconds()
		late := errors.Is(limited.Err(), context.DeadlineExceeded)
		cancel()
		if late {
			r.Failed = fmt.Sprintf("took longer than %v", o.budget)
			return r
		}
		if err != nil {
			lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
			r.Failed = fmt.Sprintf("%v: %s", err, lines[len(lines)-1])
			return r
		}
		r.Seconds = append(r.Seconds, took)
		cpu = append(cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			memory = append(memory, float64(usage.Maxrss)/1024)
		}
		if took > o.budget.Seconds()/20 {
			break
		}
	}
	r.Median, r.CPU, r.MiB = median(r.Seconds), median(cpu), median(memory)
	return r
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	if len(v)%2 == 1 {
		return v[len(v)/2]
	}
	return (v[len(v)/2-1] + v[len(v)/2]) / 2
}

// report writes a table in Markdown, and the same as JSON.
func report(o options, results []Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| %d rows × 20 columns; wide: %d × 1,000 | | | s | CPU, s | peak, MiB | times Levada's s | times its MiB |\n|---|---|---|---|---|---|---|---|\n", o.rows, o.wide)
	for _, r := range results {
		if r.Failed != "" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | | | | |\n", r.Task, r.File, r.Tool, r.Failed)
			continue
		}
		own := "levada"
		if strings.HasSuffix(r.Tool, "-10") {
			own += "-10"
		}
		times, memory := "", ""
		for _, l := range results {
			if l.Tool == own && l.Task == r.Task && l.File == r.File && r.Tool != own && l.Median > 0 {
				times, memory = fmt.Sprintf("%.1f", r.Median/l.Median), fmt.Sprintf("%.1f", r.MiB/l.MiB)
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f (%.2f – %.2f) | %.1f | %.0f | %s | %s |\n", r.Task, r.File, r.Tool, r.Median, slices.Min(r.Seconds), slices.Max(r.Seconds), r.CPU, r.MiB,
			times, memory)
	}
	fmt.Print(b.String())
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.out, "data.md"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	text, err := json.MarshalIndent(map[string]any{"rows": o.rows, "columns": 20, "wide_rows": o.wide, "wide_columns": 1000, "cpus": runtime.NumCPU(), "results": results}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "data.json"), append(text, '\n'), 0o644)
}
