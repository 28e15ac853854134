package kfp

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"levada/internal/core/fault"
)

// message is a request message: a JSON object whose fields are those of a protobuf message. Like protojson it takes both
// the proto name and the camelCase name of a field, treats null as absent, and refuses fields that it does not know.
type message struct {
	path   string
	fields map[string]json.RawMessage
}

// readMessage decodes the body of a request. The path names the message in errors.
func (d *door) readMessage(r *http.Request, path string, known ...string) (message, error) {
	data, err := d.read(r.Body, "the request")
	if err != nil {
		return message{}, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return message{}, fault.Invalidf("the request has no body: want a JSON object, the %s", path)
	}
	return parseMessage(data, path, known)
}

func parseMessage(data []byte, path string, known []string) (message, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return message{}, fault.Invalidf("%s: want a JSON object: %w", path, err)
	}
	m := message{path, make(map[string]json.RawMessage, len(raw))}
	for key, value := range raw {
		name := protoName(key)
		if !slices.Contains(known, name) {
			return message{}, fault.Invalidf("%s: unknown field %q; known: %s", path, shorten(key), strings.Join(known, ", "))
		}
		if _, twice := m.fields[name]; twice {
			return message{}, fault.Invalidf("%s: field %q is given twice, as %q too", path, name, key)
		}
		if string(value) != "null" {
			m.fields[name] = value
		}
	}
	return m, nil
}

// protoName turns a camelCase JSON name into the proto name; a proto name stays what it is.
func protoName(key string) string {
	var b strings.Builder
	for _, c := range key {
		if unicode.IsUpper(c) {
			b.WriteByte('_')
			c = unicode.ToLower(c)
		}
		b.WriteRune(c)
	}
	return b.String()
}

func (m message) has(name string) bool { return len(m.fields[name]) > 0 }

// text returns a string field, empty when it is absent.
func (m message) text(name string) (string, error) {
	if !m.has(name) {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(m.fields[name], &s); err != nil {
		return "", fault.Invalidf("%s.%s: want a string, got %s", m.path, name, excerpt(m.fields[name]))
	}
	return s, nil
}

// texts fills several string fields.
func (m message) texts(into map[string]*string) error {
	for name, dst := range into {
		s, err := m.text(name)
		if err != nil {
			return err
		}
		*dst = s
	}
	return nil
}

// integer returns a field that holds a whole number, 0 when it is absent. protojson writes 64-bit integers as text and takes both.
func (m message) integer(name string) (int64, error) {
	if !m.has(name) {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.Trim(string(m.fields[name]), `"`), 10, 64)
	if err != nil {
		return 0, fault.Invalidf("%s.%s: want a whole number, got %s", m.path, name, excerpt(m.fields[name]))
	}
	return n, nil
}

// flag returns a field that is true or false, false when it is absent.
func (m message) flag(name string) (bool, error) {
	if !m.has(name) {
		return false, nil
	}
	var b bool
	if err := json.Unmarshal(m.fields[name], &b); err != nil {
		return false, fault.Invalidf("%s.%s: want true or false, got %s", m.path, name, excerpt(m.fields[name]))
	}
	return b, nil
}

// instant returns a field that holds a time, nil when it is absent.
func (m message) instant(name string) (*time.Time, error) {
	text, err := m.text(name)
	if err != nil || text == "" {
		return nil, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fault.Invalidf("%s.%s: want a time such as 2026-01-31T02:30:00Z, got %q", m.path, name, shorten(text))
	}
	return &t, nil
}

// object returns a field that holds any JSON object, nil when it is absent.
func (m message) object(name string) (map[string]any, error) {
	if !m.has(name) {
		return nil, nil
	}
	var v map[string]any
	if err := json.Unmarshal(m.fields[name], &v); err != nil {
		return nil, fault.Invalidf("%s.%s: want a JSON object, got %s", m.path, name, excerpt(m.fields[name]))
	}
	return v, nil
}

// tags returns a field that holds a map of strings: nil when it is absent, not nil when it is given.
func (m message) tags(name string) (map[string]string, error) {
	if !m.has(name) {
		return nil, nil
	}
	tags := map[string]string{}
	if err := json.Unmarshal(m.fields[name], &tags); err != nil {
		return nil, fault.Invalidf("%s.%s: want a JSON object of strings, got %s", m.path, name, excerpt(m.fields[name]))
	}
	return tags, nil
}

// message returns a field that holds another message, one without fields when it is absent.
func (m message) message(name string, known ...string) (message, error) {
	if !m.has(name) {
		return message{path: m.path + "." + name}, nil
	}
	return parseMessage(m.fields[name], m.path+"."+name, known)
}

// excerpt shows the beginning of a JSON value in an error.
func excerpt(raw json.RawMessage) string {
	const most = 40
	s := string(raw)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
