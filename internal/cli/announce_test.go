package cli_test

import (
	"net/http"
	"strings"
)

// announce closes asked at the first request of a path.
type announce struct {
	http.Handler
	suffix string
	asked  chan struct{}
}

func (a announce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, a.suffix) {
		select {
		case <-a.asked:
		default:
			close(a.asked)
		}
	}
	a.Handler.ServeHTTP(w, r)
}
