package predict

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"levada/internal/core/fault"
)

func post(size int) *http.Request {
	return httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", size)))
}

func TestLargeBodiesFindRoomOrAreRefused(t *testing.T) {
	room := NewRoom(10 << 20)
	read := func(p *Place, size int) error {
		body, err := Body(httptest.NewRecorder(), post(size), 64<<20, p, nil)
		if err == nil && len(body) != size {
			t.Errorf("%d bytes of %d", len(body), size)
		}
		return err
	}
	first, second, third := room.Place(), room.Place(), room.Place()
	if err := read(first, 5<<20); err != nil {
		t.Fatal(err)
	}
	if err := read(second, 5<<20); fault.KindOf(err) != fault.Exhausted || !strings.Contains(err.Error(), "10 MiB") {
		t.Errorf("%v; want it to be refused", err)
	}
	second.Leave()
	if err := read(third, 1<<20-1); err != nil {
		t.Errorf("a small one is refused: %v", err)
	}
	first.Leave()
	first.Leave()
	if err := read(second, 5<<20); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	second.Leave()
	third.Leave()
	if n := room.used.Load(); n != 0 {
		t.Errorf("%d bytes are still taken", n)
	}
	if err := read(new(Place), 20<<20); err != nil {
		t.Errorf("without a room: %v", err)
	}
}

func TestARoomOfFourLimitsHasFourBodiesOfTheLimit(t *testing.T) {
	const limit = 3<<20 + 1000 // no power of two, as the buffer grows by
	room := NewRoom(4 * limit)
	for i := range 5 {
		p := room.Place()
		defer p.Leave()
		body, err := Body(httptest.NewRecorder(), post(limit), limit, p, nil)
		if i == 4 {
			if fault.KindOf(err) != fault.Exhausted {
				t.Errorf("the fifth: %v; want it to be refused", err)
			}
			break
		}
		if err != nil || len(body) != limit || int64(cap(body)) > limit+limit/8 {
			t.Errorf("body %d: %d bytes, room for %d, %v", i, len(body), cap(body), err)
		}
	}
	unsaid := post(limit + 1)
	unsaid.ContentLength = -1
	if _, err := Body(httptest.NewRecorder(), unsaid, limit, new(Place), nil); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a byte more: %v", err)
	}
}

// deadlines notes those that are set, as a connection would.
type deadlines struct {
	http.ResponseWriter
	last time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.last = at
	return nil
}

// slow is a body of which a byte comes after each pause.
type slow time.Duration

func (s slow) Read(p []byte) (int, error) {
	time.Sleep(time.Duration(s)) // of a bubble
	return 1, nil
}

func TestAClientMaySendSlowlyButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, d := time.Now(), &deadlines{ResponseWriter: httptest.NewRecorder()}
		body := newSteady(slow(10*time.Second), http.NewResponseController(d), readTime, silence)
		for range 6 {
			_, _ = body.Read(make([]byte, 1))
			if d.last.Before(time.Now()) || d.last.After(began.Add(readTime)) {
				t.Errorf("after %s the deadline is at %s", time.Since(began), d.last.Sub(began))
			}
		}
		_, _ = body.Read(make([]byte, 1))
		if at := d.last.Sub(began); at != readTime {
			t.Errorf("after %s the deadline is at %s", time.Since(began), at)
		}
	})
}

func TestAClientThatStopsInTheMiddleOfABodyIsGivenUp(t *testing.T) {
	failed := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := bodyInTime(w, r, 1<<20, new(Place), nil, time.Hour, 100*time.Millisecond)
		failed <- err
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v; want it to end with the time", err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
		t.Errorf("%s, %v; want an answer, and the connection to be closed", answer, err)
	}
}

func TestAClientThatDoesNotReadItsAnswerIsGivenUp(t *testing.T) {
	whole := make(chan bool, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		whole <- writeLarge(w, 100*time.Millisecond, [][]byte{make([]byte, 64<<20)})
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if <-whole {
		t.Error("it is said that all of it went out")
	}
}
