package faults

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"levada/internal/adapter/mail/mailtest"
	"levada/test/levadatest"
)

// mailServer takes mails by SMTP and hands them on. It refuses the first one for a while.
func mailServer(t *testing.T) (address string, mails <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan string, 10)
	go func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			takeMail(conn, n == 0, out)
		}
	}()
	return l.Addr().String(), out
}

func takeMail(conn net.Conn, busy bool, out chan<- string) {
	defer conn.Close()
	r := textproto.NewReader(bufio.NewReader(conn))
	say := func(line string) { fmt.Fprint(conn, line, "\r\n") }
	say("220 test")
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); {
		case verb == "MAIL" && busy:
			say("451 try again")
		case verb == "DATA":
			say("354 go on")
			text, err := io.ReadAll(r.DotReader())
			if err != nil {
				return
			}
			say("250 taken")
			out <- string(text)
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestFailedAndLateRunsAreToldOf(t *testing.T) {
	smtp, mails := mailServer(t)
	posts := make(chan map[string]any, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body["path"] = r.URL.Path
		posts <- body
	}))
	t.Cleanup(hook.Close)
	srv := levadatest.Start(t, "LEVADA_WEBHOOK_HOSTS="+hook.URL+","+smtp)
	for name, data := range map[string]map[string]string{
		"slack": {"url": hook.URL + "/services/T0/token"}, "smtp": {"server": smtp, "from": "Levada <levada@example.com>"},
	} {
		if status := call(t, http.MethodPut, srv.URL+"/api/v1/secrets/"+name, map[string]any{"data": data}, nil); status >= 300 {
			t.Fatalf("make the secret %s: status %d", name, status)
		}
	}
	failed := map[string]any{"run": map[string]any{"pipeline": "misbehave", "states": []string{"FAILED"}}}
	for name, b := range map[string]map[string]any{
		"slack": {"on": failed, "notify": map[string]any{"slack": map[string]any{"secret": "slack"}}},
		"mail": {"on": failed, "notify": map[string]any{"email": map[string]any{"secret": "smtp", "to": []string{"ops@example.com"}},
			"text": `"é: " + event.pipeline + " failed\nBcc: everybody@example.com"`}},
		"late": {"on": map[string]any{"late": map[string]any{"pipeline": "misbehave", "seconds": 2, "poll_seconds": 1}},
			"notify": map[string]any{"webhook": map[string]any{"url": hook.URL + "/hook"}}},
	} {
		b["display_name"] = name
		if status := call(t, http.MethodPost, srv.URL+"/api/v1/triggers", b, nil); status != http.StatusCreated {
			t.Fatalf("create the trigger %s: status %d", name, status)
		}
	}
	submit(t, srv, shell("exit 3", ""))
	slow := submit(t, srv, shell("sleep 600", ""))
	limit := time.After(time.Minute)
	for range 2 {
		select {
		case body := <-posts:
			text, _ := body["text"].(string)
			switch body["path"] {
			case "/services/T0/token":
				if len(body) != 2 || !strings.HasPrefix(text, "slack: run misbehave ") || !strings.HasSuffix(text, ` of misbehave: FAILED: task "step" failed: the step ended with exit code 3`) {
					t.Errorf("Slack was told %v", body)
				}
			case "/hook":
				events, _ := body["events"].([]any)
				if !strings.Contains(text, "is late") || len(events) != 1 || !strings.Contains(fmt.Sprint(events[0]), slow.ID) {
					t.Errorf("the webhook was told %v", body)
				}
			}
		case <-limit:
			t.Fatalf("not told within a minute\n%s", srv.Log())
		}
	}
	select {
	case mail := <-mails:
		head, text, _ := strings.Cut(mail, "\n\n")
		if !strings.Contains(head, "Subject: =?utf-8?q?=C3=A9:_misbehave_failed_Bcc:_everybody@example.com?=") || strings.Contains(head, "\nBcc:") ||
			!strings.Contains(head, "To: <ops@example.com>") || !strings.HasPrefix(text, "é: misbehave failed\nBcc: everybody@example.com\n") {
			t.Errorf("the mail is %q", mail)
		}
	case <-limit:
		t.Fatalf("no mail within a minute\n%s", srv.Log())
	}
	if strings.Contains(srv.Log(), "/services/T0/token") {
		t.Error("the log has the address of Slack, which is a secret")
	}
	call(t, http.MethodPost, srv.URL+"/api/v1/runs/"+slow.ID+"/cancel", nil, nil)
}

func TestARunThatAScheduleOrATriggerCannotStartIsToldOf(t *testing.T) {
	posts := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&body); err == nil {
			posts <- body.Text
		}
	}))
	t.Cleanup(hook.Close)
	srv := levadatest.Start(t, "LEVADA_WEBHOOK_HOSTS="+hook.URL)
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, []byte(shell("exit 0", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := srv.Upload(t.Context(), "uploaded", file)
	if err != nil {
		t.Fatal(err)
	}
	create := func(path string, body map[string]any) (id string) {
		var made struct{ ID string }
		if status := call(t, http.MethodPost, srv.URL+"/api/v1/"+path, body, &made); status != http.StatusCreated {
			t.Fatalf("make one of %s: status %d", path, status)
		}
		return made.ID
	}
	create("triggers", map[string]any{"display_name": "failures", "on": map[string]any{"run": map[string]any{"pipeline": "misbehave", "states": []string{"FAILED"}}},
		"notify": map[string]any{"webhook": map[string]any{"url": hook.URL}}})
	fired := create("triggers", map[string]any{"display_name": "on-data", "pipeline_id": p.PipelineID, "on": map[string]any{"file": map[string]any{"path": t.TempDir()}}})
	create("recurring-runs", map[string]any{"display_name": "nightly", "pipeline_id": p.PipelineID, "trigger": map[string]any{"interval_seconds": 3}})
	if status := call(t, http.MethodDelete, srv.URL+"/apis/v2beta1/pipelines/"+p.PipelineID+"?cascade=true", nil, nil); status >= 300 {
		t.Fatalf("delete the pipeline: status %d", status)
	}
	for _, path := range []string{"triggers", "recurring-runs"} { // the lists say it before the next time comes
		var list json.RawMessage
		if call(t, http.MethodGet, srv.URL+"/api/v1/"+path, nil, &list); strings.Count(string(list), "pipeline was deleted, so each run will be refused") != 1 {
			t.Errorf("the list of %s does not warn once: %s", path, list)
		}
	}
	var warned struct{ Warnings []string }
	call(t, http.MethodPost, srv.URL+"/api/v1/triggers", map[string]any{"display_name": "unready", "on": map[string]any{"late": map[string]any{"seconds": 60}},
		"notify": map[string]any{"slack": map[string]any{"secret": "none"}}}, &warned)
	if len(warned.Warnings) != 1 || !strings.Contains(warned.Warnings[0], `notify.slack.secret: secret "none" does not exist`) {
		t.Errorf("a trigger whose secret is missing is made with the warnings %q", warned.Warnings)
	}
	call(t, http.MethodPost, srv.URL+"/api/v1/triggers/"+fired+"/fire", map[string]any{}, nil)
	said := map[string]string{}
	limit := time.After(time.Minute)
	for said["nightly"] == "" || said["on-data"] == "" {
		select {
		case text := <-posts:
			for name := range map[string]bool{"nightly": true, "on-data": true} {
				if strings.HasPrefix(text, "failures: run "+name+" ") {
					said[name] = text
				}
			}
		case <-limit:
			t.Fatalf("told was only %q\n%s", said, srv.Log())
		}
	}
	for name, want := range map[string]string{"nightly": "levada schedules show", "on-data": "levada triggers fire"} {
		if text := said[name]; !strings.Contains(text, " of misbehave was not started: ") || !strings.Contains(text, p.PipelineID) || !strings.Contains(text, want) {
			t.Errorf("of %s it says %q", name, text)
		}
	}
	res, err := http.Get(srv.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(metrics), `levada_starts_refused_total{by="trigger"} 1`) || strings.Contains(string(metrics), `levada_starts_refused_total{by="schedule"} 0`) {
		t.Errorf("the metrics do not count refused runs, %v", err)
	}
}

// The alarm goes the whole way by STARTTLS and AUTH; a wrong password is said on the trigger and is nowhere in the log.
func TestAMailIsSentEncryptedAndAWrongPasswordIsSaidWithoutIt(t *testing.T) {
	const password, wrong = "right-pa55", "wr0ng-pa55"
	cert, trusted := mailtest.Certificate(t, time.Now().Add(time.Hour), "127.0.0.1")
	file := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(file, trusted, 0o600); err != nil {
		t.Fatal(err)
	}
	smtp := mailtest.Start(t, mailtest.Options{TLS: cert, RequireTLS: true, Mechanisms: []string{"PLAIN"}, User: "robot", Password: password, Refuses: "535 5.7.8 no: %s"})
	srv := levadatest.Start(t, "LEVADA_WEBHOOK_HOSTS="+smtp.Address, "SSL_CERT_FILE="+file)
	secret := func(password string) {
		data := map[string]string{"server": smtp.Address, "from": "levada@example.com", "user": "robot", "password": password}
		if status := call(t, http.MethodPut, srv.URL+"/api/v1/secrets/smtp", map[string]any{"data": data}, nil); status >= 300 {
			t.Fatalf("set the secret: status %d", status)
		}
	}
	secret(wrong)
	var made struct{ ID string }
	call(t, http.MethodPost, srv.URL+"/api/v1/triggers", map[string]any{"display_name": "failures", "on": map[string]any{"run": map[string]any{"states": []string{"FAILED"}}},
		"notify": map[string]any{"email": map[string]any{"secret": "smtp", "to": []string{"ops@example.com"}}}}, &made)
	fire := func() {
		call(t, http.MethodPost, srv.URL+"/api/v1/triggers/"+made.ID+"/fire", map[string]any{"data": map[string]any{"name": "nightly"}}, nil)
	}
	fire()
	var got struct{ Failure string }
	for end := time.Now().Add(time.Minute); got.Failure == "" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		call(t, http.MethodGet, srv.URL+"/api/v1/triggers/"+made.ID, nil, &got)
	}
	if !strings.Contains(got.Failure, "refuses the user or the password: 535") || strings.Contains(got.Failure, wrong) {
		t.Errorf("the trigger says %q", got.Failure)
	}
	secret(password)
	fire()
	select {
	case mail := <-smtp.Mails:
		if !strings.Contains(mail, "nightly") {
			t.Errorf("the mail is %q", mail)
		}
	case <-time.After(time.Minute):
		t.Errorf("no mail within a minute\n%s", srv.Log())
	}
	for _, word := range []string{wrong, password, base64.StdEncoding.EncodeToString([]byte("\x00robot\x00" + wrong))} {
		if strings.Contains(srv.Log(), word) {
			t.Errorf("the log has %q", word)
		}
	}
}
