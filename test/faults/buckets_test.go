package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"levada/test/levadatest"
)

const s3Secret = "a-secret-that-nobody-may-read"

// s3 is a moto server: what AWS's own clients are tested with.
type s3 struct {
	t      *testing.T
	url    string
	client *minio.Client
	stop   func()
}

func startS3(t *testing.T, buckets ...string) *s3 {
	t.Helper()
	python, err := levadatest.LibraryPython("faults", "moto")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &s3{t: t, stop: func() { cmd.Process.Kill(); cmd.Wait() }}
	t.Cleanup(s.stop)
	lines, running := bufio.NewScanner(said), regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)
	var before bytes.Buffer
	for s.url == "" {
		if !lines.Scan() {
			t.Fatalf("moto does not say where it runs\n%s", before.String())
		}
		fmt.Fprintln(&before, lines.Text())
		if found := running.FindStringSubmatch(lines.Text()); found != nil {
			s.url = found[1]
		}
	}
	go io.Copy(io.Discard, said) // it says something of each request
	s.client, err = minio.New(strings.TrimPrefix(s.url, "http://"), &minio.Options{Creds: credentials.NewStaticV4("AKIAEXAMPLE", s3Secret, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range buckets {
		if err := s.client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{Region: "us-east-1"}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *s3) put(key, content string) {
	s.t.Helper()
	_, err := s.client.PutObject(s.t.Context(), "data", key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

// allow says whether requests with our key are answered.
func (s *s3) allow(yes bool) {
	s.t.Helper()
	left := "0"
	if yes {
		left = "1000000000"
	}
	if status := send(s.t, s.url+"/moto-api/reset-auth", left, nil); status != http.StatusOK {
		s.t.Fatalf("moto answers with %d", status)
	}
}

func (s *s3) environ() []string {
	return []string{"AWS_ENDPOINT_URL=" + s.url, "AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=" + s3Secret, "AWS_REGION=us-east-1"}
}

// Objects appear in a bucket while the server is killed again and again: each gets its run, and none gets two. A bucket that refuses, or does
// not answer, is seen on the trigger, and what came meanwhile is found afterwards.
func TestEachObjectOfABucketStartsOneRun(t *testing.T) {
	const kills, each = 3, 4
	s := startS3(t, "data")
	s.put("in/old.csv", "was there before")
	data := t.TempDir()
	levadatest.ShareEnvironments(t, data)
	srv := levadatest.StartOn(t, data, s.environ()...)
	trigger := func(path string) (made triggerView, status int) {
		t.Helper()
		on := onFiles("")
		on["on"] = map[string]any{"file": map[string]any{"path": path, "poll_seconds": 1}}
		on["parameters_from"] = map[string]any{"what": `event.path + " " + event.change`}
		status = call(t, http.MethodPost, srv.URL+"/api/v1/triggers", on, &made)
		return made, status
	}
	for _, path := range []string{"s3://nope/in", "gs://data/in"} {
		if _, status := trigger(path); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
			t.Errorf("a trigger on %s: status %d", path, status)
		}
	}
	made, status := trigger("s3://data/in/*.csv")
	if status != http.StatusCreated {
		t.Fatalf("create a trigger: status %d", status)
	}
	want := map[string]int{}
	put := func(name, content, change string) {
		t.Helper()
		want["s3://data/in/"+name+" "+change] = 1
		s.put("in/"+name, content)
	}
	for n := range kills {
		for i := range each {
			put(fmt.Sprintf("%d-%d.csv", n, i), "1,2", "created")
		}
		s.put("in/other/x.csv", "not meant")
		until(t, srv, func(runs map[string]int) bool { return len(runs) >= n*each+n%each+1 }) // another number of each lot
		srv.Kill()
		put(fmt.Sprintf("away-%d.csv", n), "3,4", "created")
		srv = levadatest.StartOn(t, data, s.environ()...)
	}
	until(t, srv, func(runs map[string]int) bool { return maps.Equal(runs, want) })
	s.put("in/0-0.csv", "1,2") // the same again
	put("0-1.csv", "5,6", "changed")
	until(t, srv, func(runs map[string]int) bool { return maps.Equal(runs, want) })

	says := func(what string) {
		t.Helper()
		eventually(t, srv, "the trigger does not say "+what, func() bool {
			var now triggerView
			call(t, http.MethodGet, srv.URL+"/api/v1/triggers/"+made.ID, nil, &now)
			return strings.Contains(now.Failure, what) && (what != "" || now.Failure == "")
		})
	}
	s.allow(false)
	says("refuses it")
	s.allow(true)
	put("later.csv", "7,8", "created")
	says("")
	until(t, srv, func(runs map[string]int) bool { return maps.Equal(runs, want) })
	s.stop()
	says("cannot be reached")
	if log := srv.Log(); strings.Contains(log, s3Secret) {
		t.Errorf("the log has the key:\n%s", log)
	}
}

// A monitor looks at the newest object of a bucket, which its importer brings to this machine.
func TestAMonitorLooksAtTheNewestObjectOfABucket(t *testing.T) {
	s := startS3(t, "data")
	s.put("in/good.csv", ages)
	srv := levadatest.Start(t, s.environ()...)
	var applied changes
	resources := []resource{{"kind": "monitor", "name": "ages", "data": "s3://data/in/*.csv", "schedule": map[string]any{"interval_seconds": 1}, "suite": "columns:\n  age:\n    - between: [0, 120]\n"}}
	if err := srv.Call(t.Context(), http.MethodPost, "/api/v1/apply", map[string]any{"set": "flows", "resources": resources}, &applied); err != nil {
		t.Fatal(err)
	}
	eventually(t, srv, "no run of the monitor has succeeded", func() bool { return len(monitored(t, srv, "monitor-ages", "SUCCEEDED")) > 0 })
	if failed := monitored(t, srv, "monitor-ages", "FAILED"); len(failed) > 0 {
		t.Fatalf("good data fails: %+v", failed[0].Failure)
	}
	// The command reads it from there too, and leaves nothing behind.
	left := t.TempDir()
	profile := exec.CommandContext(t.Context(), levadatest.Binary(t), "data", "profile", "s3://data/in/good.csv")
	profile.Env = append(os.Environ(), append(s.environ(), "TMPDIR="+left)...)
	if out, err := profile.CombinedOutput(); err != nil || !strings.Contains(string(out), "age") || !strings.Contains(string(out), "3 rows") {
		t.Errorf("levada data profile: %v\n%s", err, out)
	}
	if files, err := os.ReadDir(left); err != nil || len(files) > 0 {
		t.Errorf("%v is left, %v", files, err)
	}
	s.put("in/new.csv", "age,name\n31,a\n420,b\n")
	eventually(t, srv, "no run of the monitor has failed", func() bool { return len(monitored(t, srv, "monitor-ages", "FAILED")) > 0 })
	if failed := monitored(t, srv, "monitor-ages", "FAILED")[0]; failed.Failure == nil || !strings.Contains(failed.Failure.Message, "age: between [0, 120]") {
		t.Errorf("it failed with %+v", failed.Failure)
	}
}

// A partition whose object in a bucket has other content is stale, and computes anew what depends on it.
func TestAPartitionIsStaleWhenItsObjectHasOtherContent(t *testing.T) {
	s := startS3(t, "data")
	days := []string{"2013-01-01", "2013-01-02"}
	for _, day := range days {
		s.put("days/"+day+".csv", "b "+day+"\na "+day+"\n")
	}
	srv := levadatest.Start(t, s.environ()...)
	log := filepath.Join(t.TempDir(), "log")
	var uploaded struct {
		PipelineID string `json:"pipeline_id"`
	}
	spec := tableSpec("days", "s3://data/days/{{$.inputs.parameters['day']}}.csv", log)
	if status := call(t, http.MethodPost, srv.URL+"/api/v1/pipelines", map[string]any{"name": "days", "spec": spec}, &uploaded); status != http.StatusCreated {
		t.Fatalf("upload: status %d", status)
	}
	levada := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), levadatest.Binary(t), append(args, "--server", srv.URL)...).CombinedOutput(); err != nil {
			t.Fatalf("levada %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	noted := func() string {
		t.Helper()
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	levada("backfill", "days", "--param", "day", "--every", "daily", "--from", days[0], "--to", days[1], "--wait")
	before := noted()
	s.put("days/"+days[0]+".csv", "b "+days[0]+"\na "+days[0]+"\n") // as it was
	s.put("days/"+days[1]+".csv", "c\n")
	// What was listed is believed for half a minute.
	eventually(t, srv, "the partition is not stale", func() bool {
		var list partitionList
		call(t, http.MethodGet, srv.URL+"/api/v1/pipelines/"+uploaded.PipelineID+"/partitions", nil, &list)
		return list.Partitions[0].State == "done" && strings.Contains(list.Partitions[1].Why, days[1]+".csv: its content has changed")
	})
	levada("backfill", "days", "--only", "stale", "--wait")
	if got := strings.TrimPrefix(noted(), before); got != "days 2013-01-02\n" {
		t.Errorf("computed again: %q, want the 2nd alone", got)
	}
}
