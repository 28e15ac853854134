package mlflow

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"levada/test/levadatest"
)

// insideHosts lets webhooks reach the receivers of these tests.
const insideHosts = "LEVADA_WEBHOOK_HOSTS=http://127.0.0.1"

func TestWebhooksAreSentWhatMLflowSends(t *testing.T) {
	interpreter, err := levadatest.MLflowPython(recorded)
	if err != nil {
		t.Fatal(err)
	}
	server := levadatest.Start(t, insideHosts)
	out, err := script(t, interpreter, "deliveries.py", "check", filepath.Join("testdata", "deliveries-"+recorded+".json"), server.URL).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nserver:\n%s", err, out, server.Log())
	}
	t.Logf("%s", lastLine(out))
}

const sharedSecret = "kept between two"

// receiver takes deliveries whose signature is right, as MLflow's documentation shows it.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	statuses []int // what is answered, one after the other; 200 then
	got      chan delivery
	hang     chan struct{} // closed to let answers go; nil for at once
}

type delivery struct {
	ID, Entity, Name string
	Signed           bool
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{statuses: statuses, got: make(chan delivery, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	id := req.Header.Get("X-MLflow-Delivery-Id")
	mac := hmac.New(sha256.New, []byte(sharedSecret))
	fmt.Fprintf(mac, "%s.%s.%s", id, req.Header.Get("X-MLflow-Timestamp"), body)
	var told struct {
		Entity string
		Data   struct{ Name string }
	}
	err = json.Unmarshal(body, &told)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	r.got <- delivery{id, told.Entity, told.Data.Name, err == nil && hmac.Equal([]byte(want), []byte(req.Header.Get("X-MLflow-Signature")))}
	r.mu.Lock()
	status, hang := 200, r.hang
	if len(r.statuses) > 0 {
		status, r.statuses = r.statuses[0], r.statuses[1:]
	}
	r.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-req.Context().Done():
		}
	}
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(status)
}

type hook struct {
	ID   string `json:"webhook_id"`
	Last *struct {
		Status, Error string
		Attempts      int
		Response      int    `json:"response_status"`
		DeliveryID    string `json:"delivery_id"`
	} `json:"last_delivery"`
}

func createHook(t *testing.T, base, url string) hook {
	t.Helper()
	text, ok := post(t.Context(), base, "/webhooks", fields{"name": "h", "url": url, "secret": sharedSecret, "events": []fields{{"entity": "REGISTERED_MODEL", "action": "CREATED"}}})
	var answer struct{ Webhook hook }
	if err := json.Unmarshal(text, &answer); err != nil || !ok {
		t.Fatalf("create a webhook: %s %v", text, err)
	}
	return answer.Webhook
}

// settled waits until the latest delivery of a webhook has a status.
func settled(t *testing.T, server *levadatest.Server, id, status string) hook {
	t.Helper()
	for {
		resp, err := server.Get(t.Context(), api+"/webhooks/"+id)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var answer struct{ Webhook hook }
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if bytes.Contains(text, []byte(sharedSecret)) {
			t.Fatalf("the secret is shown: %s", text)
		}
		if l := answer.Webhook.Last; err == nil && l != nil && l.Status == status {
			return answer.Webhook
		}
	}
}

func register(t *testing.T, server *levadatest.Server, name string) {
	t.Helper()
	if text, ok := post(t.Context(), server.URL, "/registered-models/create", fields{"name": name}); !ok {
		t.Fatalf("%s", text)
	}
}

func metric(t *testing.T, server *levadatest.Server, line string) {
	t.Helper()
	resp, err := server.Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), line+"\n") {
		t.Errorf("no line %q in /metrics, %v", line, err)
	}
}

func TestAReceiverThatFailsIsTriedAgainAndHoldsUpNobody(t *testing.T) {
	data := t.TempDir()
	server := levadatest.StartOn(t, data, insideHosts)
	stuck, flaky := newReceiver(t), newReceiver(t, 500, 503)
	stuck.hang = make(chan struct{})
	defer close(stuck.hang)
	createHook(t, server.URL, stuck.URL)
	h := createHook(t, server.URL, flaky.URL)
	register(t, server, "one")
	first := <-flaky.got
	if want := (delivery{first.ID, "registered_model", "one", true}); first != want {
		t.Errorf("got %+v; want %+v", first, want)
	}
	for range 2 {
		if again := <-flaky.got; again != first {
			t.Errorf("tried again with %+v; want the same as before, %+v", again, first)
		}
	}
	<-stuck.got
	got := settled(t, server, h.ID, "DELIVERED")
	if got.Last.Attempts != 3 || got.Last.Response != 200 || got.Last.DeliveryID != first.ID {
		t.Errorf("the last delivery is shown as %+v", got.Last)
	}
	metric(t, server, `levada_webhook_deliveries_total{result="retried"} 2`)
	metric(t, server, `levada_webhook_deliveries_waiting 1`)
	server.Stop()
	if strings.Contains(server.Log(), sharedSecret) || strings.Contains(server.Log(), flaky.URL) {
		t.Error("the log holds the secret or the URL")
	}
	for _, name := range []string{"levada.db", "levada.db-wal"} {
		content, err := os.ReadFile(filepath.Join(data, name))
		if err == nil && bytes.Contains(content, []byte(sharedSecret)) {
			t.Errorf("%s holds the secret", name)
		}
	}
}

func TestADeliveryThatIsGivenUpIsSeen(t *testing.T) {
	server := levadatest.Start(t, insideHosts)
	gone, moved := newReceiver(t, 404), newReceiver(t, 302)
	h, m := createHook(t, server.URL, gone.URL), createHook(t, server.URL, moved.URL)
	register(t, server, "one")
	got := settled(t, server, h.ID, "FAILED")
	if got.Last.Attempts != 1 || got.Last.Response != 404 || got.Last.Error == "" {
		t.Errorf("the last delivery is shown as %+v", got.Last)
	}
	settled(t, server, m.ID, "FAILED")
	metric(t, server, `levada_webhook_deliveries_total{result="failed"} 2`)
	metric(t, server, `levada_webhook_deliveries_waiting 0`)
	if len(gone.got) != 1 || len(moved.got) != 1 {
		t.Errorf("%d and %d requests came; want one each: no repetition, no redirect followed", len(gone.got), len(moved.got))
	}
}

func TestAKillBetweenCommitAndDeliveryLosesNothing(t *testing.T) {
	data := t.TempDir()
	server := levadatest.StartOn(t, data, insideHosts)
	r := newReceiver(t)
	r.hang = make(chan struct{})
	h := createHook(t, server.URL, r.URL)
	for i := range 5 { // the first of them is on its way and never answered, the others wait behind it
		register(t, server, fmt.Sprint("m", i))
	}
	<-r.got
	server.Kill()
	close(r.hang)
	server = levadatest.StartOn(t, data, insideHosts)
	for i := range 5 {
		got := <-r.got
		if want := (delivery{got.ID, "registered_model", fmt.Sprint("m", i), true}); got != want {
			t.Errorf("after the kill came %+v; want %+v", got, want)
		}
	}
	settled(t, server, h.ID, "DELIVERED")
}

func TestAReceiverThatIsDownGetsWhatItMissed(t *testing.T) {
	server := levadatest.Start(t, insideHosts)
	r := newReceiver(t)
	address := r.Listener.Addr().String()
	r.Close()
	h := createHook(t, server.URL, "http://"+address)
	register(t, server, "one")
	if got := settled(t, server, h.ID, "RETRYING"); got.Last.Error == "" || got.Last.Response != 0 {
		t.Errorf("the last delivery is shown as %+v", got.Last)
	}
	again := httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	again.Listener.Close()
	again.Listener = listen(t, address)
	again.Start()
	defer again.Close()
	if got := <-r.got; got.Name != "one" || !got.Signed {
		t.Errorf("got %+v", got)
	}
	settled(t, server, h.ID, "DELIVERED")
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// CVE-2026-2393 made webhooks a way into the network of the server. Here a webhook reaches nothing inside unless the settings name it: not by address, not by name, not by redirect, and a test of
// a webhook shows nothing of it either.
func TestWebhooksReachNothingInside(t *testing.T) {
	a := newAttacker(t)
	r := newReceiver(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), ":")
	for _, url := range []string{r.URL, "https://127.0.0.1:" + port, "https://localhost:" + port, "https://[::1]:" + port, "https://[::ffff:127.0.0.1]:" + port, "https://0.0.0.0:" + port,
		"https://169.254.169.254/latest/meta-data", "https://[fd00:ec2::254]/", "https://2130706433/", "https://127.1/", "https://0x7f.1/", "https://user:pw@93.184.216.34/", "gopher://127.0.0.1:" + port, "file:///etc/passwd", "https:///x", "//x", "https://93.184.216.34:0/"} {
		status, text := a.post("/webhooks", fields{"name": "h", "url": url, "events": []fields{{"entity": "PROMPT", "action": "CREATED"}}})
		a.refused("webhook "+url, status, text)
	}
	if len(r.got) > 0 {
		t.Errorf("the receiver inside got %+v", <-r.got)
	}
}
