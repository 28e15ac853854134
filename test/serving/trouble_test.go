package serving

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"levada/test/levadatest"
)

// tell asks a model of log_trouble.py to do something.
func tell(t *testing.T, s *levadatest.Server, endpoint string, what int) (status int, text string) {
	t.Helper()
	return post(t, s.URL+"/v2/models/"+endpoint+"/infer", fmt.Sprintf(`{"inputs": [{"name": "what", "shape": [1], "datatype": "FP64", "data": [%d]}]}`, what))
}

// TestWhatGoesWrongAtOneEndpointIsNotNoticedAtAnother has models, clients and deployments misbehave while another endpoint is asked without a pause.
func TestWhatGoesWrongAtOneEndpointIsNotNoticedAtAnother(t *testing.T) {
	var l logged
	server, _ := startAndLog(t, "sklearn", "log_trouble.py", &l)
	levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait")
	stop := load(t, server.URL, l.Rows)
	t.Run("models", func(t *testing.T) { troubleWithModels(t, server) })
	t.Run("clients", func(t *testing.T) { troubleWithClients(t, server) })
	t.Run("more than can be answered", func(t *testing.T) { overload(t, server) })
	for reference, want := range map[string]string{"models:/trouble/2": "levada-there-is-no-such-package", "models:/trouble/3": "s3://elsewhere/model"} {
		if said := refused(t, server, "deploy", reference, "--endpoint", "nothing", "--wait"); !strings.Contains(said, want) {
			t.Errorf("%s: %s", reference, said)
		}
	}
	t.Logf("%d requests to the other endpoint meanwhile", stop())
	checkIris(t, server.URL, l, 1)
	if shown := levada(t, server, "endpoints", "iris", "--events", "50"); strings.Contains(shown, "worker_lost") {
		t.Errorf("the other endpoint has noticed:\n%s", shown)
	}
}

// troubleWithModels gives each way to misbehave an endpoint of its own, which answers again afterwards.
func troubleWithModels(t *testing.T, server *levadatest.Server) {
	for name, tt := range map[string]struct {
		what, status int
		want         string
	}{
		"raises": {1, 400, "ValueError: it was asked to"}, "segfaults": {2, 503, "segmentation fault"}, "hangs": {3, 504, "2s"},
		"leaks": {4, 503, "its limit is 400 MiB"}, "answers-nothing": {5, 503, "cannot be sent"}, "writes-garbage": {6, 503, "not in its protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			levada(t, server, "deploy", "models:/trouble/1", "--endpoint", name, "--wait", "--memory-mb", "400", "--timeout-ms", map[bool]string{true: "2000", false: "20000"}[name == "hangs"])
			status, text := tell(t, server, name, tt.what)
			if status != tt.status || !strings.Contains(text, tt.want) {
				t.Errorf("%d %s; want %d and %q", status, text, tt.status, tt.want)
			}
			eventually(t, "it answers again", func() bool { status, _ := tell(t, server, name, 0); return status == http.StatusOK })
			levada(t, server, "undeploy", name)
		})
	}
}

// troubleWithClients sends what no client should.
func troubleWithClients(t *testing.T, server *levadatest.Server) {
	url := server.URL + "/v2/models/iris/infer"
	if status, text := post(t, url, strings.Repeat(" ", 100<<20)); status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "serving_max_mib") {
		t.Errorf("100 MiB: %d %s", status, text)
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 100 {
		_, _ = z.Write(make([]byte, 1<<20)) // into memory
	}
	_ = z.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &bomb)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d KiB that become 100 MiB: %s", bomb.Len()>>10, resp.Status)
	}
	for name, sent := range map[string]string{
		"half a body": "Content-Length: 1000\r\n\r\n{\"inputs\"", "half a chunk": "Transfer-Encoding: chunked\r\n\r\nff\r\n{\"inputs\"", "no chunk": "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v2/models/iris/infer HTTP/1.1\r\nHost: localhost\r\n%s", sent)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); err != nil || !bytes.Contains(answer, []byte("400 Bad Request")) || !bytes.Contains(answer, []byte("could not be read to its end")) {
			t.Errorf("%s: %v %s", name, err, answer)
		}
	}
	for range 200 { // they send a byte and are there until the test ends
		conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		fmt.Fprintf(conn, "POST /v2/models/iris/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n{")
	}
}

// overload asks an endpoint for many times what it can do: what it has no room for it refuses at once, and what it takes it answers in the time that
// its queue has.
func overload(t *testing.T, server *levadatest.Server) {
	const room, clients, length = 8, 64, 3 * time.Second
	levada(t, server, "deploy", "models:/trouble/1", "--endpoint", "busy", "--wait", "--queue-limit", fmt.Sprint(room), "--max-batch", "1")
	var alone []time.Duration
	for range 20 {
		began := time.Now()
		if status, text := tell(t, server, "busy", 7); status != http.StatusOK {
			t.Fatal(status, text)
		}
		alone = append(alone, time.Since(began))
	}
	slices.Sort(alone)
	var mu sync.Mutex
	var taken []time.Duration
	shed := 0
	var all sync.WaitGroup
	began := time.Now()
	for range clients {
		all.Go(func() {
			for time.Since(began) < length {
				at := time.Now()
				status, text := tell(t, server, "busy", 7)
				mu.Lock()
				switch status {
				case http.StatusOK:
					taken = append(taken, time.Since(at))
				case http.StatusTooManyRequests:
					shed++
				default:
					t.Errorf("%d %s", status, text)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(taken)
	if len(taken) == 0 {
		t.Fatal("nothing was answered")
	}
	median, p99 := alone[len(alone)/2], taken[len(taken)*99/100]
	t.Logf("alone %s; %d clients: %d answered, p50 %s, p99 %s; %d refused", median, clients, len(taken), taken[len(taken)/2], p99, shed)
	// A request waits for those before it. Ten times that is for the machine, whose processors the clients share.
	if most := 10 * (room + 2) * alone[len(alone)-1]; p99 > most {
		t.Errorf("the p99 of what is answered is %s; want at most %s", p99, most)
	}
	if shed < len(taken) {
		t.Errorf("%d were refused and %d answered: it was not overloaded", shed, len(taken))
	}
}

// TestManySmallModelsShareAMachine has workers come and go: with the memory that all may use, with the time, and with what waits.
func TestManySmallModelsShareAMachine(t *testing.T) {
	var l logged
	server, _ := startAndLog(t, "sklearn", "log_trouble.py", &l, "LEVADA_SERVING_MEMORY_MIB=200")
	names := []string{"iris", "a", "b", "c"}
	for _, name := range names[1:] {
		levada(t, server, "deploy", "models:/trouble/1", "--endpoint", name, "--wait")
	}
	levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait")
	for range 3 {
		checkIris(t, server.URL, l, 1)
		for _, name := range names[1:] {
			if status, text := tell(t, server, name, 0); status != http.StatusOK {
				t.Errorf("%s: %d %s", name, status, text)
			}
		}
	}
	eventually(t, "the memory that all use is what they may", func() bool { return len(workers(t, server.Data)) < len(names) })
	shown := ""
	for _, name := range names {
		shown += levada(t, server, "endpoints", name, "--events", "50")
	}
	if !strings.Contains(shown, "evicted") || strings.Contains(shown, "worker_lost") {
		t.Error(shown)
	}
	for _, name := range names[1:] {
		levada(t, server, "undeploy", name)
	}
	t.Run("to zero and back", func(t *testing.T) {
		levada(t, server, "deploy", "models:/iris/1", "--endpoint", "iris", "--wait", "--idle-seconds", "1")
		eventually(t, "there is no worker without requests", func() bool { return len(workers(t, server.Data)) == 0 })
		checkIris(t, server.URL, l, 1)
		if shown := levada(t, server, "endpoints", "iris", "--events", "50"); !strings.Contains(shown, "scaled_to_zero") {
			t.Error(shown)
		}
	})
	t.Run("more while requests wait", func(t *testing.T) {
		levada(t, server, "undeploy", "iris")
		levada(t, server, "deploy", "models:/trouble/1", "--endpoint", "slow", "--wait", "--max-workers", "3", "--max-batch", "1")
		done := make(chan struct{})
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if status, text := tell(t, server, "slow", 7); status != http.StatusOK {
						t.Errorf("%d %s", status, text)
					}
				}
			})
		}
		eventually(t, "there are three workers", func() bool { return len(workers(t, server.Data)) == 3 })
		close(done)
		all.Wait()
	})
}
