package predict

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
