package reqlog

import (
	"net/url"
	"strings"
	"time"

	"levada/internal/core/cachekey"
	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
)

// addressPrefix begins the addresses of what endpoints know.
const addressPrefix = "levada://endpoints/"

// The things of an endpoint that have an address.
const (
	addressRequests = "requests"
	addressTraining = "training"
)

// Address names a table that an endpoint knows: what it was asked and what it answered in a window of time, or what the version that it
// serves was trained on. It stands where the address of an artifact can.
type Address struct {
	Endpoint string
	// Training names what the version was trained on. The rest is of requests then, and empty.
	Training bool
	// Window is how long the window is, and Earlier how long before the moment of asking it ends. Version is empty for all.
	Window, Earlier time.Duration
	Version         string
}

// String is the address as text, the only form of it that ParseAddress gives back.
func (a Address) String() string {
	if a.Training {
		return addressPrefix + url.PathEscape(a.Endpoint) + "/" + addressTraining
	}
	q := url.Values{"window": {a.Window.String()}}
	if a.Earlier > 0 {
		q.Set("earlier", a.Earlier.String())
	}
	if a.Version != "" {
		q.Set("version", a.Version)
	}
	return addressPrefix + url.PathEscape(a.Endpoint) + "/" + addressRequests + "?" + q.Encode()
}

// ParseAddress reads the address of what an endpoint knows. is is false for addresses of other things; an error is Invalid.
func ParseAddress(text string) (a Address, is bool, err error) {
	rest, is := strings.CutPrefix(text, addressPrefix)
	if !is {
		return a, false, nil
	}
	wrong := func(format string, args ...any) (Address, bool, error) {
		return Address{}, true, fault.Invalidf("address %q: %w", fault.Shorten(text, 200), fault.Invalidf(format, args...))
	}
	path, query, _ := strings.Cut(rest, "?")
	name, what, _ := strings.Cut(path, "/")
	if a.Endpoint, err = url.PathUnescape(name); err != nil {
		return wrong("%w", err)
	}
	if err := endpoint.CheckName(a.Endpoint); err != nil {
		return wrong("%w", err)
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return wrong("%w", err)
	}
	switch what {
	case addressTraining:
		a.Training = true
	case addressRequests:
		if a.Window, err = Span(q.Get("window")); err != nil {
			return wrong("window: %w", err)
		}
		if q.Has("earlier") {
			if a.Earlier, err = Span(q.Get("earlier")); err != nil {
				return wrong("earlier: %w", err)
			}
		}
		a.Version = q.Get("version")
		for _, known := range []string{"window", "earlier", "version"} {
			q.Del(known)
		}
	default:
		return wrong("want %sNAME/%s?window=24h or %sNAME/%s", addressPrefix, addressRequests, addressPrefix, addressTraining)
	}
	for name := range q {
		return wrong("there is no %q in it", fault.Shorten(name, 40))
	}
	return a, true, nil
}

// Span reads a length of time: 90s, 24h, 7d, or as Go writes it (24h0m0s). It is at least a second.
func Span(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		if d, err = cachekey.ParseAge(text); err != nil {
			return 0, fault.Invalidf("%q: want a length of time such as 90s, 24h or 7d", fault.Shorten(text, 40))
		}
	}
	if d < time.Second {
		return 0, fault.Invalidf("%q is less than a second", fault.Shorten(text, 40))
	}
	return d, nil
}
