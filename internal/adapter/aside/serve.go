package aside

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
)

// memoryVariable has the bound of memory in bytes, processorVariable that of processor time; asideVariable says that the process has given
// way already.
const (
	memoryVariable    = "LEVADA_ASIDE_MEMORY"
	processorVariable = "LEVADA_ASIDE_PROCESSOR"
	asideVariable     = "LEVADA_ASIDE"
)

// Serve is the whole life of the other process: it does requests from its input until that ends, and returns the exit status. do must not
// print. environ is the environment of the process.
func Serve(in io.Reader, out io.Writer, environ []string, do func(ctx context.Context, request json.RawMessage) (any, error)) int {
	set := map[string]string{}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		set[name] = value
	}
	memory, err := strconv.ParseInt(set[memoryVariable], 10, 64)
	if err != nil || memory <= 0 {
		fmt.Fprintln(os.Stderr, "this command is for Levada's own use")
		return 2
	}
	processor, _ := time.ParseDuration(set[processorVariable]) // without it there is no bound
	if set[asideVariable] == "" {
		giveWay(environ) // does not return where the program is started again
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lines := make(chan []byte)
	go func() { // ends with the process
		r := bufio.NewReaderSize(in, 1<<16)
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				os.Exit(0) // the process that started this one has ended: nobody waits for what is being done
			}
			lines <- line
		}
	}()
	debug.SetMemoryLimit(memory * 3 / 4)
	w := bufio.NewWriter(out)
	for line := range lines {
		a := watched(ctx, line, memory, processor, do)
		if json.NewEncoder(w).Encode(a) != nil || w.Flush() != nil || a.Last {
			return 0 // perhaps with a goroutine that still works, and all that it holds
		}
	}
	return 0
}

// glance is how often the bounds are looked at while a request is done.
const glance = 50 * time.Millisecond

// watched does a request within the bounds of memory and of processor time. The answer that says that there was not enough is the last one.
func watched(ctx context.Context, line []byte, memory int64, processor time.Duration, do func(context.Context, json.RawMessage) (any, error)) answer {
	done := make(chan answer, 1)
	began := processorTime()
	go func() { done <- attempt(ctx, line, do) }()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case a := <-done:
			return a
		case <-tick.C:
		}
		if held() > memory {
			return answer{Error: fmt.Sprintf("it needs more than the %d MiB of memory that there are for it", memory>>20), Kind: fault.TooLarge, Last: true}
		}
		if processor > 0 && processorTime()-began > processor {
			return answer{Error: fmt.Sprintf("it needs more than the %s of processor time that there are for it", processor), Kind: fault.TooLarge, Last: true}
		}
	}
}

// held is how much memory the process has of the system.
func held() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64()) - int64(samples[1].Value.Uint64())
}

// attempt does a request. A panic is an error of the work, not the end of the process.
func attempt(ctx context.Context, line []byte, do func(context.Context, json.RawMessage) (any, error)) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Error: fault.Shorten(fmt.Sprintf("this program has a defect: %v", p), 300)}
		}
	}()
	result, err := do(ctx, line)
	if err != nil {
		return failure(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return failure(err)
	}
	return answer{Result: text}
}

func failure(err error) answer {
	kind := fault.KindOf(err)
	var disk *os.PathError
	if errors.As(err, &disk) && kind == fault.Internal {
		kind = fault.Unavailable
	}
	return answer{Error: err.Error(), Kind: kind}
}
