package pipelines

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// unknown is the host that the sources name as their package index. Nothing answers there: the tests put one in its place.
const unknown = "index.test"

// withIndex returns a pipeline in which a package index that answers stands for the unknown one: the file itself when it names none,
// and else a copy in dir.
func withIndex(file, dir string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(text, []byte(unknown)) {
		return file, err
	}
	at, err := index()
	if err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(at)
	if err != nil {
		return "", err
	}
	text = bytes.ReplaceAll(text, []byte("http://"+unknown), []byte("http://"+at))
	text = bytes.ReplaceAll(text, []byte(unknown), []byte(host))
	file = filepath.Join(dir, filepath.Base(file))
	return file, os.WriteFile(file, text, 0o644)
}

// index returns the address of a package index that sends everybody on to the one of this machine. It ends with the tests. The address
// is a part of the environment that is built, so it is the same each time where it can be.
var index = sync.OnceValues(func() (string, error) {
	machine, err := machineIndex()
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:18237")
	if err != nil {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	server := &http.Server{Handler: http.StripPrefix("/simple", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, machine+r.URL.Path, http.StatusFound)
	}))}
	go func() { _ = server.Serve(listener) }() // ends with the process
	return listener.Addr().String(), nil
})

// machineIndex is where pip looks for packages on this machine, without a slash at its end.
func machineIndex() (string, error) {
	if set, err := exec.Command("python3", "-m", "pip", "config", "get", "global.index-url").Output(); err == nil {
		return strings.TrimRight(strings.TrimSpace(string(set)), "/"), nil
	}
	usual, err := exec.Command("python3", "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)").Output()
	return strings.TrimRight(strings.TrimSpace(string(usual)), "/"), err
}
