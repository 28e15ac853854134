// Package subprocess has what the starting of other people's programs needs, whoever starts them: attributes with which they do not
// outlive the server by accident, what they may see of the server's environment, the end of what they print, their memory.
//
// It knows neither steps nor models, and makes no decisions. Start reading at Thread.
package subprocess

import (
	"bytes"
	"runtime"
	"strings"
	"sync"
)

// passed are the variables of the server that others may see: what they need to find programs and reach the network.
var passed = map[string]bool{
	"PATH": true, "LANG": true, "LANGUAGE": true, "TZ": true,
	"http_proxy": true, "https_proxy": true, "no_proxy": true, "all_proxy": true,
	"HTTP_PROXY": true, "HTTPS_PROXY": true, "NO_PROXY": true, "ALL_PROXY": true,
	"SSL_CERT_FILE": true, "SSL_CERT_DIR": true, "REQUESTS_CA_BUNDLE": true, "CURL_CA_BUNDLE": true,
}

// Passed reports whether a variable of the server's environment is handed on.
func Passed(name string) bool { return passed[name] || strings.HasPrefix(name, "LC_") }

// Thread runs functions on one thread that lives until End: the system ends a process that is to die with its parent (Attributes)
// when the thread that started it ends. The zero value is ready.
type Thread struct {
	once  sync.Once
	queue chan func()
	done  sync.WaitGroup
}

// Do runs f on the thread and waits for it.
func (t *Thread) Do(f func()) {
	t.once.Do(func() {
		t.queue = make(chan func())
		t.done.Go(func() {
			runtime.LockOSThread() // and never unlock: the thread ends here
			for f := range t.queue {
				f()
			}
		})
	})
	ended := make(chan struct{})
	t.queue <- func() { defer close(ended); f() }
	<-ended
}

// End ends the thread. Do must not be called after it.
func (t *Thread) End() {
	t.once.Do(func() {})
	if t.queue != nil {
		close(t.queue)
		t.done.Wait()
		t.queue = nil
	}
}

// Tail keeps the last part of a stream. The zero value is ready.
type Tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 16 << 10

// Add appends to the stream.
func (t *Tail) Add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) >= tailSize {
		t.buf = append(t.buf[:0], p[len(p)-tailSize:]...)
		return
	}
	if over := len(t.buf) + len(p) - 2*tailSize; over > 0 {
		t.buf = t.buf[:copy(t.buf, t.buf[len(t.buf)-tailSize:])]
	}
	t.buf = append(t.buf, p...)
}

// Text returns the last part: at least 16 KiB where the stream had as much.
func (t *Tail) Text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buf)
}
