package mlflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"levada/test/levadatest"
)

type upload struct {
	ID          string `json:"upload_id"`
	Credentials []struct {
		URL    string
		Number int `json:"part_number"`
	}
}

const mpu = "/api/2.0/mlflow-artifacts/mpu/"

// at is the path and query of a URL that the server has given out.
func (a attacker) at(raw string) string {
	a.t.Helper()
	u, err := url.Parse(raw)
	if err != nil || !strings.HasPrefix(raw, a.server.URL+"/") {
		a.t.Fatalf("the URL %q does not lead to this server: %v", raw, err)
	}
	return u.RequestURI()
}

func (a attacker) call(path string, body any) (int, string) {
	a.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	status, _, text := a.send("POST", path, "application/json", data)
	return status, text
}

func (a attacker) begin(dir, file string, parts int) upload {
	a.t.Helper()
	status, text := a.call(mpu+"create/"+dir, fields{"path": "/home/me/" + file, "num_parts": parts})
	var u upload
	if err := json.Unmarshal([]byte(text), &u); err != nil || status != 200 || len(u.Credentials) != parts {
		a.t.Fatalf("begin an upload: %d %.300s %v", status, text, err)
	}
	return u
}

func (a attacker) put(path string, content []byte) (int, string) {
	a.t.Helper()
	status, header, text := a.send("PUT", path, "", content)
	if status != 200 {
		return status, text
	}
	return status, header.Get("ETag")
}

func TestAnUploadInPartsIsWholeOrNotThere(t *testing.T) {
	a := newAttacker(t)
	const file = files + "0/r/artifacts/x.bin"
	u := a.begin("0/r/artifacts", "x.bin", 3)
	contents := [][]byte{bytes.Repeat([]byte("a"), 1<<20), []byte("b"), []byte("end")}
	var parts []fields
	for i := 2; i >= 0; i-- { // in any order
		status, etag := a.put(a.at(u.Credentials[i].URL), contents[i])
		if status != 200 || etag == "" {
			t.Fatalf("part %d: %d %s", i+1, status, etag)
		}
		parts = append([]fields{{"part_number": i + 1, "etag": etag}}, parts...)
	}
	complete := func(id string, parts any) (int, string) {
		return a.call(mpu+"complete/0/r/artifacts", fields{"path": "/home/me/x.bin", "upload_id": id, "parts": parts})
	}
	for name, wrong := range map[string]any{
		"no parts": []fields{}, "a part left out": parts[:2], "the wrong order": []fields{parts[1], parts[0], parts[2]}, "a part twice": []fields{parts[0], parts[0], parts[1], parts[2]},
		"a wrong digest": []fields{parts[0], {"part_number": 2, "etag": `"file:sha256:00"`}, parts[2]}, "a part too much": append(parts[:3:3], fields{"part_number": 4, "etag": "x"}), "text": "x",
	} {
		status, text := complete(u.ID, wrong)
		a.refused(name, status, text)
	}
	status, text := complete("none", parts)
	a.refused("another upload", status, text)
	status, text = a.call(mpu+"complete/0/other/artifacts", fields{"path": "x.bin", "upload_id": u.ID, "parts": parts})
	a.refused("another place", status, text)
	if status, _, _ := a.send("GET", file, "", nil); status != 404 {
		t.Errorf("the file is there before the upload is complete: %d", status)
	}
	for range 2 { // the second time, who did not hear of the first asks again
		if status, text := complete(u.ID, parts); status != 200 {
			t.Fatalf("complete: %d %s", status, text)
		}
	}
	if status, _, text := a.send("GET", file, "", nil); status != 200 || text != string(bytes.Join(contents, nil)) {
		t.Errorf("the file: %d, %d bytes", status, len(text))
	}
	status, text = a.put(a.at(u.Credentials[0].URL), []byte("again"))
	a.refused("a part after the end", status, text)
	status, text = a.call(mpu+"abort/0/r/artifacts", fields{"path": "x.bin", "upload_id": u.ID})
	a.refused("abort after the end", status, text)
}

// CVE-2026-2651: the calls of uploads in parts wrote files that the caller had no right to.
func TestAURLGivesOneRightForAWhile(t *testing.T) {
	a := newAttacker(t)
	u, other := a.begin("0/r/artifacts", "x", 2), a.begin("0/r/artifacts", "y", 2)
	good := a.at(u.Credentials[0].URL)
	base, query, _ := strings.Cut(good, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	expires, err := strconv.ParseInt(values.Get("expires"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	signature := values.Get("signature")
	for name, path := range map[string]string{
		"no signature": base, "an empty one": base + "?expires=" + values.Get("expires") + "&signature=", "another part": strings.Replace(good, "/1?", "/2?", 1),
		"another upload": mpu + "part/" + other.ID + "/1?" + query, "later": fmt.Sprintf("%s?expires=%d&signature=%s", base, expires+1, signature),
		"expired": fmt.Sprintf("%s?expires=1&signature=%s", base, signature), "no number": strings.Replace(good, "/1?", "/x?", 1), "one letter": good[:len(good)-1] + map[bool]string{true: "A", false: "B"}[good[len(good)-1] != 'A'],
		"the right to a part for a file": files[:len(files)-len("artifacts/")] + "signed/0/r/artifacts/x?" + query,
	} {
		if status, text := a.put(path, []byte("x")); status != 403 {
			t.Errorf("%s: status %d %s; want 403", name, status, text)
		}
	}
	if status, text := a.put(good, []byte("x")); status != 200 {
		t.Errorf("the URL itself: %d %s", status, text)
	}
	if status, text := a.call(mpu+"abort/0/r/artifacts", fields{"path": "x", "upload_id": u.ID}); status != 200 {
		t.Errorf("abort: %d %s", status, text)
	}
	status, text := a.put(good, []byte("x"))
	a.refused("a part of an upload that was aborted", status, text)
	for _, way := range a.ways() {
		status, text := a.call(mpu+"create/"+way, fields{"path": "x", "num_parts": 1})
		a.refused("begin at "+way, status, text)
	}
	for _, n := range []int{0, -1, 10_001, 1 << 40} {
		status, text := a.call(mpu+"create/0/r", fields{"path": "x", "num_parts": n})
		a.refused(fmt.Sprint(n, " parts"), status, text)
	}
	for _, local := range []string{"..", "/", ".", "a/..", `C:\..`, ""} {
		status, text := a.call(mpu+"create/0/r", fields{"path": local, "num_parts": 1})
		a.refused("the local file "+local, status, text)
	}
}

func TestAFileIsReadAndWrittenWithAURL(t *testing.T) {
	a := newAttacker(t)
	_, run := a.run()
	presign := func(kind string, body fields) (int, string) {
		status, text := a.post("/artifacts/presigned-"+kind+"-url", body)
		var answer struct {
			URL  string `json:"presigned_url"`
			Size int    `json:"file_size"`
		}
		if status != 200 {
			return status, text
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(text, err)
		}
		return status, a.at(answer.URL)
	}
	const name = "dir/ä 100%.txt"
	status, up := presign("upload", fields{"run_id": run, "path": name, "expiration": 60})
	if status != 200 {
		t.Fatal(status, up)
	}
	if status, text := a.put(up, []byte("content")); status != 200 {
		t.Fatal(status, text)
	}
	status, down := presign("download", fields{"run_id": run, "path": name})
	if status != 200 {
		t.Fatal(status, down)
	}
	if status, header, text := a.send("GET", down, "", nil, "Range", "bytes=3-"); status != 206 || text != "tent" || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("read a range: %d %s", status, text)
	}
	if status, _, _ := a.send("GET", up, "", nil); status != 403 {
		t.Errorf("the right to write reads: %d", status)
	}
	if status, _ := a.put(down, []byte("x")); status != 403 {
		t.Errorf("the right to read writes: %d", status)
	}
	for what, body := range map[string]fields{
		"no run": {"path": "x"}, "run and model": {"run_id": run, "model_id": "m", "path": "x"}, "no path": {"run_id": run}, "a way out": {"run_id": run, "path": "../../x"},
		"no time": {"run_id": run, "path": "x", "expiration": 0}, "too long": {"run_id": run, "path": "x", "expiration": 604801}, "no such run": {"run_id": "none", "path": "x"}, "no such model": {"model_id": "m-0", "path": "x"},
	} {
		status, text := presign("upload", body)
		a.refused("upload with "+what, status, text)
	}
	status, text := presign("download", fields{"run_id": run, "path": "none"})
	a.refused("download what is not there", status, text)
}

func TestAnUploadGoesOnAfterAKill(t *testing.T) {
	data := t.TempDir()
	a := attacker{t: t, server: levadatest.StartOn(t, data)}
	u := a.begin("0/r/artifacts", "x", 2)
	_, first := a.put(a.at(u.Credentials[0].URL), []byte("one "))
	a.server.Kill()
	second := a.at(u.Credentials[1].URL)
	a.server = levadatest.StartOn(t, data)
	status, etag := a.put(second, []byte("two"))
	if status != 200 {
		t.Fatal(status, etag)
	}
	status, text := a.call(mpu+"complete/0/r/artifacts", fields{"path": "x", "upload_id": u.ID, "parts": []fields{{"part_number": 1, "etag": first}, {"part_number": 2, "etag": etag}}})
	if status != 200 {
		t.Fatal(status, text)
	}
	if status, _, text := a.send("GET", files+"0/r/artifacts/x", "", nil); status != 200 || text != "one two" {
		t.Errorf("the file: %d %s", status, text)
	}
}
