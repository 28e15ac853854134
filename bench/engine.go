package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// engineRate is how many state transitions a second the engine makes with steps that do nothing, in a run of 1,000 tasks.
type engineRate struct {
	// Shape is the form of the run: chain or fan-out.
	Shape string `json:"shape"`
	// Decided is the engine alone; Durable has every transition on disk before the next thing happens.
	Decided sample `json:"decided_per_second"`
	Durable sample `json:"durable_per_second"`
}

// rateLine is a result of BenchmarkEngine of test/scale: its shape, which of the two rates, and the rate.
var rateLine = regexp.MustCompile(`^BenchmarkEngine/([a-z-]+)/(decided|durable)\S*\s.*?([0-9.e+]+) transitions/s`)

// measureEngine runs the Go benchmark of the engine, which works inside the product; this program only looks at it from outside.
func measureEngine(ctx context.Context, o options) ([]engineRate, error) {
	args := []string{"test", "-tags", "grpcnotrace", "-run", "^$", "-bench", "BenchmarkEngine", "-benchtime", "500ms", "-count", strconv.Itoa(o.runs), "./test/scale"}
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, lastLine(out))
	}
	rates, err := readRates(out)
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return rates, nil
}

// readRates reads what the benchmark prints.
func readRates(out []byte) ([]engineRate, error) {
	var rates []engineRate
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		m := rateLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		rate, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		if len(rates) == 0 || rates[len(rates)-1].Shape != m[1] {
			rates = append(rates, engineRate{Shape: m[1]})
		}
		last := &rates[len(rates)-1]
		if m[2] == "decided" {
			last.Decided = append(last.Decided, rate)
		} else {
			last.Durable = append(last.Durable, rate)
		}
	}
	if len(rates) == 0 {
		return nil, errors.New("no rates were printed")
	}
	return rates, lines.Err()
}

// engineTable writes the rates of the engine.
func (r *result) engineTable(b *strings.Builder) {
	if len(r.Engine) == 0 {
		return
	}
	b.WriteString("\n| the engine, 1,000 steps that do nothing | decided, transitions a second | each on disk, transitions a second |\n|---|---|---|\n")
	for _, e := range r.Engine {
		fmt.Fprintf(b, "| %s | %s | %s |\n", e.Shape, e.Decided.whole(), e.Durable.whole())
	}
}
