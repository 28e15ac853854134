package mlflow

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"levada/test/levadatest"
)

const (
	api   = "/api/2.0/mlflow"
	files = "/api/2.0/mlflow-artifacts/artifacts/"
)

// attacker sends requests as they are, without the cleaning that clients do.
type attacker struct {
	t      *testing.T
	server *levadatest.Server
	secret string // the path of a file outside the data directory
}

func newAttacker(t *testing.T) attacker {
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("the secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return attacker{t, levadatest.Start(t), secret}
}

func (a attacker) send(method, path, contentType string, body []byte, headers ...string) (int, http.Header, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.server.URL, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	path, query, _ := strings.Cut(path, "?")
	req.URL.Opaque = path // sent as it is
	req.URL.RawQuery = query
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func (a attacker) post(path string, body any) (int, string) {
	a.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	status, _, text := a.send("POST", api+path, "application/json", data)
	return status, text
}

type fields map[string]any

// refused fails the test unless a request was refused as a client's mistake.
func (a attacker) refused(what string, status int, text string) {
	a.t.Helper()
	if status < 400 || status >= 500 || strings.Contains(text, "the secret") {
		a.t.Errorf("%s: status %d, %.200s; want it refused", what, status, text)
	}
}

func (a attacker) run() (experiment, run string) {
	a.t.Helper()
	status, text := a.post("/runs/create", fields{"experiment_id": "0", "start_time": 1})
	var answer struct {
		Run struct {
			Info struct {
				RunID string `json:"run_id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 {
		a.t.Fatal(status, text, err)
	}
	return "0", answer.Run.Info.RunID
}

// ways are spellings of a way out of the directory of artifacts.
func (a attacker) ways() []string {
	out := []string{"C:/Windows/win.ini", "C:%5CWindows", "a%5c..%5c..%5cb", "..%5c..%5cx", "file:///etc/passwd", "FILE:/etc/passwd", "a%00b", "a%23b"}
	for _, dots := range []string{"..", "%2e%2e", ".%2e", "%252e%252e", "%25252e%25252e"} {
		for _, slash := range []string{"/", "%2f", "%252f", "%5c", "%255c"} {
			out = append(out, strings.Repeat(dots+slash, 12)+strings.TrimPrefix(a.secret, "/"), "a"+slash+dots+slash+dots+slash+"b")
		}
	}
	return append(out, "/"+a.secret, "%2f"+a.secret, "%252f"+a.secret)
}

// Paths of artifacts that lead out, in every encoding, for reading, listing, writing and deleting: CVE-2023-6831 (deletion),
// CVE-2024-1560 (deletion with a path that is decoded twice), CVE-2026-2033 (the handler of artifacts). No path is used on a file
// system, so there are no symbolic links to follow either.
func TestNoSpellingOfAPathLeadsOutOfTheArtifacts(t *testing.T) {
	a := newAttacker(t)
	_, run := a.run()
	for _, way := range a.ways() {
		status, _, text := a.send("GET", files+way, "", nil)
		a.refused("read "+way, status, text)
		status, _, text = a.send("PUT", files+way, "", []byte("overwritten"))
		a.refused("write "+way, status, text)
		status, _, text = a.send("DELETE", files+way, "", nil)
		a.refused("delete "+way, status, text)
		for _, below := range []string{"presigned/", "signed/", "mpu/part/"} {
			status, _, text = a.send("GET", strings.TrimSuffix(files, "artifacts/")+below+way, "", nil)
			if status != http.StatusMethodNotAllowed && status != http.StatusForbidden {
				a.refused(below+way, status, text)
			}
		}
		for _, list := range []string{strings.TrimSuffix(files, "/") + "?path=", api + "/artifacts/list?run_id=" + run + "&path=", "/get-artifact?run_id=" + run + "&path="} {
			status, _, text = a.send("GET", list+strings.ReplaceAll(way, "#", "%23"), "", nil)
			a.refused("list "+way, status, text)
		}
	}
	if content, err := os.ReadFile(a.secret); err != nil || string(content) != "the secret" {
		t.Errorf("the file outside holds %q, %v", content, err)
	}
}

// Ids that are paths name nothing.
func TestIdsAreNoPaths(t *testing.T) {
	a := newAttacker(t)
	for _, id := range []string{"..", "../..", "../../../../etc/passwd", "/etc/passwd", "..\\..\\x", "%2e%2e", "file:///etc/passwd", "C:\\x", "a\x00b", strings.Repeat("../", 200)} {
		for path, body := range map[string]fields{
			"/runs/create": {"experiment_id": id}, "/runs/update": {"run_id": id, "status": "FINISHED"}, "/runs/delete": {"run_id": id}, "/runs/log-batch": {"run_id": id},
			"/experiments/delete": {"experiment_id": id}, "/experiments/update": {"experiment_id": id, "new_name": "x"}, "/logged-models": {"experiment_id": id},
			"/artifacts/presigned-upload-url": {"run_id": id, "path": "x"},
		} {
			status, text := a.post(path, body)
			a.refused(path+" "+id, status, text)
		}
		for _, path := range []string{"/runs/get?run_id=", "/artifacts/list?run_id=", "/experiments/get?experiment_id=", "/logged-models/", "/webhooks/"} {
			status, _, text := a.send("GET", api+path+url.QueryEscape(id), "", nil)
			a.refused("GET "+path+id, status, text)
		}
	}
}

// A model version whose source is a file of the server, which is then read through the registry: CVE-2023-1177, CVE-2023-2356 (ways
// out in URIs of all schemes), CVE-2023-2780 (backslashes), CVE-2023-6977 (//proc/self/root), CVE-2024-1558 (the check of the
// source), CVE-2024-3573 (URIs that are taken for no local ones), CVE-2024-8859 (dbfs: with a question mark),
// CVE-2025-11201 (paths of model files). CVE-2023-6018 has the server fetch a source of another host and write what it gets;
// CVE-2026-2614 calls the version one of a prompt, whose source was not checked.
func TestAModelVersionCannotReadFilesOfTheServer(t *testing.T) {
	a := newAttacker(t)
	_, run := a.run()
	if status, text := a.post("/registered-models/create", fields{"name": "m"}); status != 200 {
		t.Fatal(status, text)
	}
	dir := filepath.Dir(a.secret)
	for _, source := range []string{
		dir, "file://" + dir, "file:" + dir, "FILE://" + dir, "file:///%2e%2e" + dir, "//proxy/../.." + dir, "/", ".", "..", "C:" + dir,
		"http://host/api/2.0/mlflow-artifacts/artifacts/../../.." + dir, "mlflow-artifacts:/../../.." + dir, "mlflow-artifacts://h:1/..%2f..%2f.." + dir,
		"mlflow-artifacts:/0/other/artifacts", "s3://bucket/../.." + dir, "s3://b/%2e%2e/%2e%2e", "runs:/other/model", "runs://host/" + run + "/m", "models:/m-0", "models://h/m/1",
		"mlflow-artifacts:%00" + dir, "//proc/self/root", `file:///\..\..` + dir, `\..\..\etc`, "dbfs:/" + run + "/artifacts/a%3f/../../.." + dir, "s3://b/m#/../../.." + dir,
		"mlflow-artifacts:/0/" + run + "/artifacts?/../../../.." + dir, "http://host/api/2.0/mlflow-artifacts/artifacts/", "models:/m/1",
	} {
		for _, extra := range []fields{{}, {"run_id": run}, {"model_id": "m-0"}, {"tags": []fields{{"key": "mlflow.prompt.is_prompt", "value": "true"}}}} {
			body := fields{"name": "m", "source": source}
			for k, v := range extra {
				body[k] = v
			}
			status, text := a.post("/model-versions/create", body)
			a.refused("source "+source, status, text)
		}
	}
	// What lies elsewhere may be registered; it is never fetched by the server.
	if status, text := a.post("/model-versions/create", fields{"name": "m", "source": "s3://bucket/model"}); status != 200 {
		t.Errorf("a source outside the server: %d %s", status, text)
	}
	status, _, text := a.send("GET", "/model-versions/get-artifact?name=m&version=1&path=secret.txt", "", nil)
	a.refused("read from a foreign place", status, text)
}

// Experiments whose artifact location is a path of the server: CVE-2023-6909 (plain), CVE-2024-1483, CVE-2024-2928 and CVE-2024-3848
// (hidden behind "#"), CVE-2024-1593 (behind ";").
func TestAnArtifactLocationCannotReadFilesOfTheServer(t *testing.T) {
	a := newAttacker(t)
	dir := filepath.Dir(a.secret)
	for i, location := range []string{dir, "file://" + dir, "http:///#/../../.." + dir, "http:///?/../../.." + dir, "mlflow-artifacts:/../../.." + dir, "s3://b/;/../.." + dir, "models:/x", "runs:/x"} {
		name := "e" + string(rune('0'+i))
		status, text := a.post("/experiments/create", fields{"name": name, "artifact_location": location})
		var answer struct {
			ID string `json:"experiment_id"`
		}
		if status != 200 {
			a.refused("location "+location, status, text)
			continue
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		status, text = a.post("/runs/create", fields{"experiment_id": answer.ID})
		var created struct {
			Run struct {
				Info struct {
					RunID string `json:"run_id"`
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &created); err != nil || status != 200 {
			t.Fatal(status, text)
		}
		for _, path := range []string{"secret.txt", "..%2fsecret.txt", ""} {
			status, _, text := a.send("GET", "/get-artifact?run_id="+created.Run.Info.RunID+"&path="+path, "", nil)
			a.refused("read below "+location, status, text)
		}
	}
}

// Nothing that a client has sent comes back as something that a browser runs: stored files, and the content type of a request
// (CVE-2023-6568).
func TestABrowserRunsNothingThatAClientHasStored(t *testing.T) {
	a := newAttacker(t)
	_, run := a.run()
	const html = "<script>alert(1)</script>"
	for _, name := range []string{"x.html", "x.htm", "x.xhtml", "x.svg", "x.xml", "x.js", "x", "x.HTML", "x.mjs"} {
		path := files + "0/" + run + "/artifacts/" + name
		if status, _, text := a.send("PUT", path, "text/html", []byte(html)); status != 200 {
			t.Fatal(status, text)
		}
		for _, read := range []string{path, "/get-artifact?run_id=" + run + "&path=" + name} {
			status, header, _ := a.send("GET", read, "", nil)
			kind := header.Get("Content-Type")
			if status != 200 || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") || header.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.Contains(header.Get("Content-Security-Policy"), "sandbox") || strings.Contains(kind, "html") || strings.Contains(kind, "svg") || strings.Contains(kind, "xml") || strings.Contains(kind, "javascript") {
				t.Errorf("%s: status %d, headers %v; want an attachment that cannot run", read, status, header)
			}
		}
	}
	status, header, text := a.send("POST", api+"/experiments/create", html, []byte("{}"))
	if status != 400 || header.Get("Content-Type") != "application/json" || strings.Contains(text, html) {
		t.Errorf("a script as content type: %d %v %s", status, header, text)
	}
}

// What is too large is refused before it is stored, such as the name of an experiment (CVE-2024-6838). Nothing is unpacked on the
// server, neither bodies nor archives (as in CVE-2025-15031).
func TestWhatIsTooLargeIsRefused(t *testing.T) {
	a := newAttacker(t)
	_, run := a.run()
	long := strings.Repeat("x", 1<<20)
	for path, body := range map[string]fields{
		"/experiments/create":      {"name": long},
		"/experiments/create?":     {"name": "n", "artifact_location": "s3://" + long},
		"/runs/set-tag":            {"run_id": run, "key": long, "value": "v"},
		"/runs/search":             {"experiment_ids": []string{"0"}, "filter": strings.Repeat("(", 1<<19)},
		"/registered-models/alias": {"name": "m", "alias": long, "version": "1"},
	} {
		status, text := a.post(path, body)
		a.refused(path, status, text)
	}
	status, _, text := a.send("POST", api+"/runs/log-batch", "application/json", bytes.Repeat([]byte(" "), 33<<20))
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 33 MiB: %d %.100s", status, text)
	}
	status, _, text = a.send("POST", api+"/runs/log-batch", "application/json", bytes.Repeat([]byte("["), 1<<20))
	a.refused("a million brackets", status, text)
	// Bodies are never decompressed, so there is nothing to blow up.
	status, _, text = a.send("POST", api+"/runs/log-batch", "application/json", []byte{0x1f, 0x8b, 8}, "Content-Encoding", "gzip")
	a.refused("a compressed body", status, text)
}

// A web page that reaches the server through the user's browser, by a cross-site request or by a name that was made to resolve to
// this machine (CVE-2025-14279).
func TestWebPagesOfOthersReachNothing(t *testing.T) {
	a := newAttacker(t)
	body := []byte(`{"name": "from a page"}`)
	for _, headers := range [][]string{
		{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}, {"Host", "evil.example"}, {"Host", "evil.example:8080", "Origin", "http://evil.example:8080"},
	} {
		if status, _, text := a.send("POST", api+"/experiments/create", "application/json", body, headers...); status != 403 {
			t.Errorf("%v: status %d %s; want 403", headers, status, text)
		}
		if status, _, _ := a.send("PUT", files+"x", "", body, headers...); status != 403 {
			t.Errorf("%v: an upload has status %d; want 403", headers, status)
		}
	}
	if status, _, _ := a.send("GET", api+"/experiments/get?experiment_id=0", "", nil, "Host", "evil.example"); status != 403 {
		t.Error("a foreign name can read")
	}
}

// Requests that name another server are never followed: the server opens no connection on behalf of a client.
func TestTheServerFetchesNothing(t *testing.T) {
	a := newAttacker(t)
	asked := make(chan string, 100)
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer trap.Close()
	status, text := a.post("/experiments/create", fields{"name": "ssrf", "artifact_location": trap.URL + "/loc"})
	if status == 200 {
		var answer struct {
			ID string `json:"experiment_id"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		_, text = a.post("/runs/create", fields{"experiment_id": answer.ID})
		var created struct {
			Run struct {
				Info struct {
					RunID string `json:"run_id"`
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &created); err != nil {
			t.Fatal(err)
		}
		a.send("GET", api+"/artifacts/list?run_id="+created.Run.Info.RunID, "", nil)
		a.send("GET", "/get-artifact?path=x&run_id="+created.Run.Info.RunID, "", nil)
	}
	a.post("/registered-models/create", fields{"name": "ssrf"})
	a.post("/model-versions/create", fields{"name": "ssrf", "source": trap.URL + "/model"})
	a.send("GET", "/model-versions/get-artifact?name=ssrf&version=1&path=x", "", nil)
	select {
	case path := <-asked:
		t.Errorf("the server fetched %s", path)
	default:
	}
}
