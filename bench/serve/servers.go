package main

import (
	"bytes"
	"context"
	bits "encoding/binary"
	"encoding/json"
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
	// grpc says that the body is a message of gRPC with its frame.
	grpc bool
}

// words makes a form whose body is JSON.
func words(name, path, body, want string) form {
	return form{name: name, path: path, body: body, want: want}
}

// binary is the same request as vector with the binary tensor extension, in both directions.
func binary() form {
	head := `{"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}], "parameters": {"binary_data_output": true}}`
	var data []byte
	for _, v := range []float32{5.1, 3.5, 1.4, 0.2} {
		data = bits.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return form{name: "Open Inference Protocol, binary", path: vector.path, body: head + string(data), want: `"name":"label"`, header: len(head)}
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
	one    = []uint64{1}
	// A flight of the morning, as a record, and as the columns of a table.
	flight  = `{"carrier": "UA", "origin": "EWR", "dest": "IAH", "month": 1, "hour": 5, "distance": 1400.0}`
	flights = words(split.name, split.path,
		`{"dataframe_split": {"columns": ["carrier", "origin", "dest", "month", "hour", "distance"], "data": [["UA", "EWR", "IAH", 1, 5, 1400.0]]}}`, "[0]")
)

// flightColumns is the flight as a question of the Open Inference Protocol. MLServer is told that they are columns of a table, and which are texts.
func flightColumns(text, table string) form {
	var b strings.Builder
	for _, name := range []string{"carrier UA", "origin EWR", "dest IAH"} {
		name, value, _ := strings.Cut(name, " ")
		fmt.Fprintf(&b, `{"name": %q, "shape": [1], "datatype": "BYTES", %s"data": [%q]}, `, name, text, value)
	}
	b.WriteString(`{"name": "month", "shape": [1], "datatype": "INT64", "data": [1]}, {"name": "hour", "shape": [1], "datatype": "INT64", "data": [5]}, `)
	fmt.Fprintf(&b, column, "distance", 1400)
	return words(oip.name, oip.path, `{`+table+`"inputs": [`+b.String()+`]}`, `"data":[0]`)
}

// forms says how each server is asked.
var forms = map[string][]form{
	"fastapi": {rows}, "bentoml": {words("JSON", "/predict", rows.body, "[0]")}, "ray": {words("JSON", "/", `{"rows": [5.1, 3.5, 1.4, 0.2]}`, "[0]")},
	"mlserver": {oip, call(fp64{"x", []uint64{1, 4}, []float64{5.1, 3.5, 1.4, 0.2}})}, "mlflow": {split},
	"fastapi-flights": {words("JSON", "/predict", `{"rows": [`+flight+`]}`, "[0]")}, "bentoml-flights": {words("JSON", "/predict", `{"rows": [`+flight+`]}`, "[0]")},
	"ray-flights": {words("JSON", "/", `{"rows": `+flight+`}`, "[0]")}, "mlflow-flights": {flights},
	"mlserver-flights": {flightColumns(`"parameters": {"content_type": "str"}, `, `"parameters": {"content_type": "pd"}, `)},
	"fastapi-onnx":     {rows}, "mlflow-onnx": {inputs}, "bentoml-onnx": {words("JSON", "/predict", `{"rows": [[5.1, 3.5, 1.4, 0.2]]}`, "0")},
	limit:                  {words("constant", "/", inputs.body, "[0]")},
	"levada-onnx":          {words(inputs.name, "/serving-endpoints/iris/invocations", inputs.body, "[0]"), vector, binary()},
	"levada-onnx+log=1":    {words("MLflow, all requests logged", "/serving-endpoints/iris/invocations", inputs.body, "[0]")},
	"levada-onnx+log=0.01": {words("MLflow, 1 % logged", "/serving-endpoints/iris/invocations", inputs.body, "[0]")},
	"levada": {
		words(split.name, "/serving-endpoints/iris/invocations", split.body, "[0]"),
		words(oip.name, oip.path, `{"inputs": [`+fmt.Sprintf(column, "a", 5.1)+","+fmt.Sprintf(column, "b", 3.5)+","+fmt.Sprintf(column, "c", 1.4)+","+fmt.Sprintf(column, "d", 0.2)+`]}`, `"data":[0]`),
		call(fp64{"a", one, []float64{5.1}}, fp64{"b", one, []float64{3.5}}, fp64{"c", one, []float64{1.4}}, fp64{"d", one, []float64{0.2}}),
	},
	"levada-flights": {words(flights.name, "/serving-endpoints/iris/invocations", flights.body, "[0]"), flightColumns("", "")},
}

// server is a running one.
type server struct {
	url     string
	grpcURL string // where it is another
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
	port, next, err := freePorts()
	if err != nil {
		return nil, 0, err
	}
	folder, err := os.MkdirTemp("", "levada-serve-")
	if err != nil {
		return nil, 0, err
	}
	s := &server{url: "http://127.0.0.1:" + port, folder: folder, ended: make(chan struct{}), forms: forms[name]}
	if s.grpcURL = s.url; strings.HasPrefix(name, "mlserver") {
		s.grpcURL = "http://127.0.0.1:" + strconv.Itoa(next)
	}
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
		if s.process, err = prepare(ctx, o, here, name, port, folder); err != nil {
			return nil, 0, errors.Join(err, os.RemoveAll(folder))
		}
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
	if err := s.await(ctx, func() error { return ask(ctx, client(1, s.forms[0]), s.url, s.forms[0]) }); err != nil {
		return nil, 0, s.failed(err)
	}
	return s, time.Since(began), nil
}

// prepare has what a server needs written into a folder, so that training the model is no part of its start.
func prepare(ctx context.Context, o options, script, name, port, folder string) (*exec.Cmd, error) {
	interpreter := python(o, name)
	training := exec.CommandContext(ctx, interpreter, script, name, port, folder)
	training.Stderr = os.Stderr
	text, err := training.Output()
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", name, err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	var words []string
	if err := json.Unmarshal(lines[len(lines)-1], &words); err != nil || len(words) == 0 {
		return nil, fmt.Errorf("prepare %s: it printed no command: %.200q", name, text)
	}
	c := exec.Command(words[0], words[1:]...)
	c.Dir = folder
	// As many processes as processors answer: trees that each ask for all processors hold each other up.
	c.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "PYTHONPATH="+folder, "PATH="+filepath.Dir(interpreter)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return c, nil
}

// python is the interpreter of a server's environment. The models of flights run in the environments of those of iris.
func python(o options, name string) string {
	name = strings.TrimSuffix(name, "-flights")
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

// freePorts finds a port that is free together with the one after it. It looks below those that the system gives to connections, of
// which the loads on other servers have just left thousands behind.
func freePorts() (port string, next int, err error) {
	for n := 20_000; n < 30_000; n += 2 {
		one, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n))
		if err != nil {
			continue
		}
		two, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n+1))
		if err != nil {
			_ = one.Close() // another pair is looked for
			continue
		}
		return strconv.Itoa(n), n + 1, errors.Join(one.Close(), two.Close())
	}
	return "", 0, errors.New("no two ports in a row are free from 20000 to 30000")
}
