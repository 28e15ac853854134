package aside_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"levada/internal/adapter/aside"
	"levada/internal/core/fault"
)

const child = "act-as-the-other-process"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == child {
		os.Exit(aside.Serve(os.Stdin, os.Stdout, os.Environ(), work))
	}
	goleak.VerifyTestMain(m)
}

// held keeps memory from being collected.
var held [][]byte

// work does what the tests ask for.
func work(_ context.Context, request json.RawMessage) (any, error) {
	var what string
	if err := json.Unmarshal(request, &what); err != nil {
		return nil, err
	}
	switch what {
	case "pid":
		return os.Getpid(), nil
	case "refuse":
		return nil, fault.Invalidf("this is no table")
	case "panic":
		panic("at the disco")
	case "die":
		println("last words")
		os.Exit(3)
	case "hang":
		select {}
	case "eat":
		for {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = byte(i)
			}
			held = append(held, b)
		}
	case "work":
		for n := uint64(1); ; n *= 3 {
			if n == 0 {
				return nil, errors.New("a product of odd numbers is even")
			}
		}
	case "status":
		text, err := os.ReadFile("/proc/self/stat")
		return string(text), err
	case "sleep":
		time.Sleep(300 * time.Millisecond) // longer than the processor time that it may take
	case "oom":
		text, err := os.ReadFile("/proc/self/oom_score_adj")
		return strings.TrimSpace(string(text)), err
	}
	return what, nil
}

func start(t *testing.T, o aside.Options) *aside.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Command, o.Args = self, []string{child}
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	p := aside.New(o)
	t.Cleanup(p.Close)
	return p
}

func do(t *testing.T, p *aside.Process, what string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	text, err := p.Do(ctx, what)
	var s string
	if json.Unmarshal(text, &s) != nil {
		s = string(text)
	}
	return s, err
}

func TestRequestsAreDoneInOneProcessAndErrorsKeepTheirKind(t *testing.T) {
	p := start(t, aside.Options{})
	first, err := do(t, p, "pid")
	if err != nil || first == strconv.Itoa(os.Getpid()) {
		t.Fatalf("process %s, %v", first, err)
	}
	if _, err := do(t, p, "refuse"); fault.KindOf(err) != fault.Invalid || err.Error() != "this is no table" {
		t.Errorf("%v", err)
	}
	if _, err := do(t, p, "panic"); err == nil || !strings.Contains(err.Error(), "disco") {
		t.Errorf("%v", err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if again, err := do(t, p, "pid"); err != nil || again != first {
				t.Errorf("process %s, %v; want %s", again, err, first)
			}
		})
	}
	all.Wait()
}

func TestAProcessThatDiesIsStartedAgain(t *testing.T) {
	p := start(t, aside.Options{})
	before, _ := do(t, p, "pid")
	_, err := do(t, p, "die")
	if !errors.Is(err, aside.ErrDied) || !strings.Contains(err.Error(), "exit status 3: last words") {
		t.Errorf("%v", err)
	}
	if after, err := do(t, p, "pid"); err != nil || after == before {
		t.Errorf("process %s after %s, %v", after, before, err)
	}
}

func TestWhoGivesUpEndsTheProcess(t *testing.T) {
	p := start(t, aside.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := p.Do(ctx, "hang"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got, err := do(t, p, "on"); err != nil || got != "on" {
		t.Errorf("%q, %v", got, err)
	}
}

// hurry leaves out the giving way, for tests of what takes time, on a machine that may be busy.
var hurry = []string{"LEVADA_ASIDE=1"}

func TestMemoryIsBounded(t *testing.T) {
	p := start(t, aside.Options{Memory: 128 << 20, Environ: hurry})
	_, err := do(t, p, "eat")
	if fault.KindOf(err) != fault.TooLarge || !strings.Contains(err.Error(), "more than the 128 MiB") {
		t.Errorf("%v", err)
	}
	if got, err := do(t, p, "on"); err != nil || got != "on" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestProcessorTimeIsBoundedAndTimeOnTheClockIsNot(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time is bounded on Linux")
	}
	p := start(t, aside.Options{Processor: 100 * time.Millisecond, Environ: hurry})
	if got, err := do(t, p, "sleep"); err != nil || got != "sleep" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := do(t, p, "work")
	if fault.KindOf(err) != fault.TooLarge || !strings.Contains(err.Error(), "100ms of processor time") {
		t.Errorf("%v", err)
	}
}

func TestTheProcessGivesWayToAllOthers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("priorities are set on Linux")
	}
	p := start(t, aside.Options{})
	stat, err := do(t, p, "status")
	if err != nil {
		t.Fatal(err)
	}
	// After the name in brackets: the state is field 3, nice 19, the policy 41.
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if nice, policy := fields[19-3], fields[41-3]; nice != "19" || policy != "5" {
		t.Errorf("nice %s, policy %s; want 19 and 5 (SCHED_IDLE)", nice, policy)
	}
	if score, err := do(t, p, "oom"); err != nil || score != "1000" {
		t.Errorf("oom_score_adj %s, %v", score, err)
	}
}

func TestAnIdleProcessEnds(t *testing.T) {
	p := start(t, aside.Options{Idle: time.Millisecond})
	first, err := do(t, p, "pid")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for exec.CommandContext(ctx, "kill", "-0", strconv.Itoa(n)).Run() == nil {
		if ctx.Err() != nil {
			t.Fatal("it is still there")
		}
	}
	if second, err := do(t, p, "pid"); err != nil || second == first {
		t.Errorf("process %s, %v", second, err)
	}
}

func TestClosingEndsARequestThatIsBeingDone(t *testing.T) {
	p := start(t, aside.Options{})
	if _, err := do(t, p, "on"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := p.Do(context.Background(), "hang")
		ended <- err
	}()
	time.AfterFunc(20*time.Millisecond, p.Close)
	if err := <-ended; !errors.Is(err, aside.ErrDied) {
		t.Errorf("%v", err)
	}
}
