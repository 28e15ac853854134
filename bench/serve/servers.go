package main

import (
	"context"
	bits "encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startWithin = 3 * time.Minute
	stopWithin  = 20 * time.Second
	look        = 20 * time.Millisecond
)

// form is a request, and a part of its right answer without spaces.
type form struct {
	name, path, body, want string
	// header is how many bytes of the body are JSON, where tensors follow it as bytes; 0 where all of it is.
	header int
}

// words makes a form whose body is JSON.
func words(name, path, body, want string) form { return form{name, path, body, want, 0} }

// binary is the same request as vector with the binary tensor extension, in both directions.
func binary() form {
	head := `{"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}], "parameters": {"binary_data_output": true}}`
	var data []byte
	for _, v := range []float32{5.1, 3.5, 1.4, 0.2} {
		data = bits.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return form{"Open Inference Protocol, binary", vector.path, head + string(data), `"name":"label"`, len(head)}
}

// limit is the name of a server that is none of the field's: net/http of Go, in a process of its own, which reads a request and writes an answer
// of the same size that is always the same. No server that is written with it answers more to this client on this machine.
const limit = "limit"

const limitAnswer = `{"predictions":{"label":[0],"probabilities":[[0.98155725,0.018442782,1.44809285e-08]]}}`

// answerAlways is the program of limit.
func answerAlways(address string) error {
	answer := []byte(limitAnswer)
	server := &http.Server{Addr: address, ReadHeaderTimeout: late, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // who sends nothing gets the answer too
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // the client would notice
	})}
	return server.ListenAndServe()
}

var (
	rows   = words("JSON", "/predict", `{"rows": [[5.1, 3.5, 1.4, 0.2]]}`, "[0]")
	oip    = words("Open Inference Protocol", "/v2/models/iris/infer", `{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]}`, `"data":[0]`)
	split  = words("MLflow", "/invocations", `{"dataframe_split": {"columns": ["a", "b", "c", "d"], "data": [[5.1, 3.5, 1.4, 0.2]]}}`, "[0]")
	vector = words("Open Inference Protocol", "/v2/models/iris/infer", `{"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}]}`, `"data":[0]`)
	inputs = words("MLflow", "/invocations", `{"inputs": [[5.1, 3.5, 1.4, 0.2]]}`, "[0]")
	column = `{"name": %q, "shape": [1], "datatype": "FP64", "data": [%v]}`
)

// forms says how each server is asked.
var forms = map[string][]form{
	"fastapi": {rows}, "bentoml": {words("JSON", "/predict", rows.body, "[0]")}, "ray": {words("JSON", "/", `{"rows": [5.1, 3.5, 1.4, 0.2]}`, "[0]")},
	"mlserver": {oip}, "mlflow": {split},
	"fastapi-onnx": {rows}, "mlflow-onnx": {inputs}, "bentoml-onnx": {words("JSON", "/predict", `{"rows": [[5.1, 3.5, 1.4, 0.2]]}`, "0")},
	limit:                  {words("constant", "/", inputs.body, "[0]")},
	"levada-onnx":          {words(inputs.name, "/serving-endpoints/iris/invocations", inputs.body, "[0]"), vector, binary()},
	"levada-onnx+log=1":    {words("MLflow, all requests logged", "/serving-endpoints/iris/invocations", inputs.body, "[0]")},
	"levada-onnx+log=0.01": {words("MLflow, 1 % logged", "/serving-endpoints/iris/invocations", inputs.body, "[0]")},
	"levada": {
		words(split.name, "/serving-endpoints/iris/invocations", split.body, "[0]"),
		words(oip.name, oip.path, `{"inputs": [`+fmt.Sprintf(column, "a", 5.1)+","+fmt.Sprintf(column, "b", 3.5)+","+fmt.Sprintf(column, "c", 1.4)+","+fmt.Sprintf(column, "d", 0.2)+`]}`, `"data":[0]`),
	},
}

// server is a running one.
type server struct {
	url     string
	folder  string
	process *exec.Cmd
	ended   chan struct{}
	forms   []form
}

// start starts a server in a folder of its own and waits for its first right answer.
func start(ctx context.Context, o options, name string) (_ *server, cold time.Duration, err error) {
	if forms[name] == nil {
		return nil, 0, fmt.Errorf("there is no server %q", name)
	}
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	folder, err := os.MkdirTemp("", "levada-serve-")
	if err != nil {
		return nil, 0, err
	}
	s := &server{url: "http://127.0.0.1:" + port, folder: folder, ended: make(chan struct{}), forms: forms[name]}
	here, err := filepath.Abs("bench/serve/servers.py")
	if err != nil {
		return nil, 0, err
	}
	ours := strings.HasPrefix(name, "levada")
	name, sample, _ := strings.Cut(name, "+log=")
	switch self, err := os.Executable(); {
	case name == limit && err != nil:
		return nil, 0, err
	case name == limit:
		s.process = exec.Command(self, "-answer", "127.0.0.1:"+port)
	case ours:
		s.process = exec.Command(o.levada, "up", "--data", filepath.Join(folder, "data"), "--listen", "127.0.0.1:"+port)
	default:
		s.process = exec.Command(python(o, name), here, name, port, folder)
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, 0, errors.Join(err, os.RemoveAll(folder))
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := s.process.Start(); err != nil {
		return nil, 0, errors.Join(err, os.RemoveAll(folder))
	}
	go func() { _ = s.process.Wait(); close(s.ended) }() // how it ends is of no interest
	if ours {
		if began, err = s.deploy(ctx, o, here, strings.TrimPrefix(name, "levada"), sample); err != nil {
			return nil, 0, s.failed(err)
		}
	}
	if err := s.await(ctx, func() error { return ask(ctx, client(1), s.url, s.forms[0]) }); err != nil {
		return nil, 0, s.failed(err)
	}
	return s, time.Since(began), nil
}

func python(o options, name string) string {
	return filepath.Join(o.environments, "serve-"+name, "bin", "python")
}

// deploy registers the model of a kind and deploys it twice: the first time the environment is built, which is no cold start.
func (s *server) deploy(ctx context.Context, o options, script, suffix, sample string) (began time.Time, err error) {
	up := func() error {
		resp, err := http.Get(s.url + "/healthz") //nolint:noctx // it answers at once, or is not there
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if err := s.await(ctx, up); err != nil {
		return began, err
	}
	deploy := []string{"deploy", "models:/iris/1", "--endpoint", "iris", "--wait", "--server", s.url}
	if sample != "" {
		deploy = append(deploy, "--log-sample", sample)
	}
	for _, command := range [][]string{
		{python(o, "mlflow"+suffix), script, "log" + suffix, s.url}, append([]string{o.levada}, deploy...), {o.levada, "undeploy", "iris", "--server", s.url},
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return began, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
		}
	}
	began = time.Now()
	out, err := exec.CommandContext(ctx, o.levada, deploy...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("levada deploy: %w\n%s", err, out)
	}
	return began, err
}

// await tries until it works.
func (s *server) await(ctx context.Context, try func() error) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for limit := time.After(startWithin); ; {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-limit:
			return fmt.Errorf("no right answer within %s: %w", startWithin, err)
		case <-s.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// failed stops a server that did not start, and adds the end of its log to the error.
func (s *server) failed(err error) error {
	log, _ := os.ReadFile(filepath.Join(s.folder, "log")) // what can be read helps
	s.stop()
	return fmt.Errorf("%w\n%s", err, log[max(0, len(log)-2000):])
}

// stop ends a server with all its processes.
func (s *server) stop() {
	group := -s.process.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(stopWithin):
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	_ = os.RemoveAll(s.folder) // the system's folder for such things is cleared anyway
}

// memory is the proportional share of memory of all processes that descend from the server's, in MiB.
func (s *server) memory() float64 {
	parents := map[int]int{}
	entries, _ := os.ReadDir("/proc") // there is none elsewhere: the sum is 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "stat")) // it may have ended
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 1 {
			parents[pid], _ = strconv.Atoi(f[1]) // the system writes numbers
		}
	}
	sum := 0.0
	for pid := range parents {
		for p := pid; p > 1; p = parents[p] {
			if p == s.process.Process.Pid {
				sum += pss(pid)
				break
			}
		}
	}
	return sum
}

func pss(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)) // it may have ended
	_, rest, found := strings.Cut(string(text), "\nPss:")
	if !found {
		return 0
	}
	kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64) // the system writes numbers
	return kib / 1024
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
