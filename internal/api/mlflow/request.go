package mlflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"levada/internal/core/fault"
	"levada/internal/core/track"
)

type paramsError = track.ParamsError

// request is a request whose fields are read by name and type. The first field that is missing or wrong is remembered: the
// call reads everything it needs, then looks at err.
type request struct {
	*http.Request
	w        http.ResponseWriter
	args     []string // the variable parts of the path
	limit    int64
	answered bool // the call has written the response itself

	fields map[string]any
	err    error
	// held is given back when the answer was sent.
	held func()
}

// maxElements bounds the elements of a list in a request. How deep values may nest is bounded by encoding/json.
const maxElements = 100_000

// parse reads the body, or the query of a GET.
func (r *request) parse() error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		r.fields = map[string]any{}
		for key, values := range r.URL.Query() {
			if len(values) == 1 {
				r.fields[key] = values[0]
				continue
			}
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			r.fields[key] = list
		}
		return nil
	}
	body, err := r.body()
	if err == nil {
		r.fields, err = decode(body)
	}
	return err
}

// body reads the JSON that a request carries.
func (r *request) body() ([]byte, error) {
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		switch kind {
		case "application/json":
		case "":
			return nil, fault.Invalidf("Bad Request. Content-Type header is missing.")
		default:
			return nil, fault.Invalidf("Bad Request. Content-Type must be one of ['application/json'].")
		}
	}
	return r.read(r.limit)
}

// read reads the body of a request, which has at most limit bytes.
func (r *request) read(limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, fault.TooLargef("The request has more than the %d bytes that are allowed", limit)
	}
	if err != nil {
		return nil, fault.Invalidf("The request broke off: %w", err)
	}
	return body, nil
}

// maxSending bounds how long a client may take to receive what others wait for.
const maxSending = 5 * time.Minute

// hold notes what is to be given back when the answer was sent; nil is nothing.
func (r *request) hold(release func()) {
	if release == nil {
		return
	}
	r.held = release
	_ = http.NewResponseController(r.w).SetWriteDeadline(time.Now().Add(maxSending)) // not every writer knows deadlines
}

func (r *request) letGo() {
	if r.held == nil {
		return
	}
	r.held()
	_ = http.NewResponseController(r.w).SetWriteDeadline(time.Time{}) // as above
}

// decode reads a JSON object. What is no JSON at all counts as an empty object, as in MLflow: the first required field is
// then the one that is missing. Old clients send the object as a string.
func decode(body []byte) (map[string]any, error) {
	var value any
	dec := json.NewDecoder(bytes.NewReader(pythonNumbers(body)))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		return map[string]any{}, nil //nolint:nilerr // see above
	}
	if text, ok := value.(string); ok {
		dec = json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&value); err != nil {
			return map[string]any{}, nil //nolint:nilerr // see above
		}
	}
	if value == nil {
		return map[string]any{}, nil
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fault.Invalidf("The body of the request is not a JSON object")
	}
	return fields, nil
}

// pythonNumbers puts quotes around NaN and Infinity where Python's json has written them bare, outside strings.
func pythonNumbers(body []byte) []byte {
	if !bytes.Contains(body, []byte("NaN")) && !bytes.Contains(body, []byte("Infinity")) {
		return body
	}
	out := make([]byte, 0, len(body)+32)
	inString := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case inString && c == '\\' && i+1 < len(body):
			out = append(out, c)
			i++
			c = body[i]
		case c == '"':
			inString = !inString
		case !inString:
			word := ""
			for _, w := range []string{"NaN", "-Infinity", "Infinity"} {
				if bytes.HasPrefix(body[i:], []byte(w)) {
					word = w
					break
				}
			}
			if word != "" {
				out = append(append(append(out, '"'), word...), '"')
				i += len(word) - 1
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

const seeDocs = " See the API docs for more information about request parameters."

// required marks a field that must be there.
type need bool

const (
	optional need = false
	required need = true
)

// take returns a field, under its own name or its name in camel case.
func (r *request) take(name string, n need) (any, bool) {
	if r.fields == nil && r.err == nil {
		r.err = r.parse()
	}
	v, there := r.fields[name]
	if !there {
		if v, there = r.fields[camel(name)]; there && v == nil {
			there = false
		}
	}
	if v == nil {
		there = false
	}
	if r.err == nil && bool(n) && (!there || v == "") {
		r.err = fault.Invalidf("Missing value for required parameter '%s'."+seeDocs, name)
	}
	return v, there
}

func camel(name string) string {
	var b strings.Builder
	up := false
	for _, c := range name {
		if c == '_' {
			up = true
			continue
		}
		if up {
			b.WriteString(strings.ToUpper(string(c)))
		} else {
			b.WriteRune(c)
		}
		up = false
	}
	return b.String()
}

// wrong remembers that a value is not of its type, in MLflow's words.
func (r *request) wrong(name string, v any) {
	if r.err == nil {
		r.err = wrong(name, v)
	}
}

func wrong(name string, v any) error {
	return fault.Invalidf("%s"+seeDocs, fmt.Sprintf("Invalid value %s for parameter '%s' supplied:  Hint: Value was of type '%s'.",
		compact(v), name, pythonType(v)))
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// pythonType names a JSON value's type as Python does.
func pythonType(v any) string {
	switch v := v.(type) {
	case string:
		return "str"
	case bool:
		return "bool"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
		return "int"
	case []any:
		return "list"
	case map[string]any:
		return "dict"
	}
	return "NoneType"
}

func (r *request) text(name string, n need) string {
	v, there := r.take(name, n)
	if !there {
		return ""
	}
	if list, ok := v.([]any); ok && r.Method == http.MethodGet && len(list) > 0 {
		v = list[0]
	}
	s, ok := v.(string)
	if !ok {
		r.wrong(name, v)
	}
	return s
}

// optionalText is nil when the field is not there.
func (r *request) optionalText(name string) *string {
	if _, there := r.take(name, optional); !there {
		return nil
	}
	s := r.text(name, optional)
	return &s
}

// whole reads an integer, which may be written as a string.
func (r *request) whole(name string, n need) *int64 {
	v, there := r.take(name, n)
	if !there {
		return nil
	}
	i, ok := integer(v)
	if !ok {
		r.wrong(name, v)
		return nil
	}
	return &i
}

func integer(v any) (int64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	default:
		return 0, false
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// number reads a floating point number, which may be written as a string.
func (r *request) number(name string, n need) float64 {
	v, there := r.take(name, n)
	if !there {
		return 0
	}
	f, ok := float(v)
	if !ok {
		r.wrong(name, v)
	}
	return f
}

func float(v any) (float64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if errors.Is(err, strconv.ErrRange) && math.IsInf(f, 0) {
		return f, true
	}
	return f, err == nil
}

func (r *request) flag(name string) bool {
	v, there := r.take(name, optional)
	if !there {
		return false
	}
	switch v := v.(type) {
	case bool:
		return v
	case string:
		if r.Method == http.MethodGet {
			switch strings.ToLower(v) {
			case "true":
				return true
			case "false":
				return false
			}
			if r.err == nil {
				r.err = fault.Invalidf("Invalid boolean value: %s, must be 'true' or 'false'.", v)
			}
			return false
		}
	}
	r.wrong(name, v)
	return false
}

// list reads an array; in a query one value is an array too.
func (r *request) list(name string, n need) []any {
	v, there := r.take(name, n)
	if !there {
		return nil
	}
	if s, ok := v.(string); ok && r.Method == http.MethodGet {
		return []any{s}
	}
	list, ok := v.([]any)
	if !ok {
		r.wrong(name, v)
		return nil
	}
	if len(list) > maxElements && r.err == nil {
		r.err = fault.TooLargef("Parameter '%s' has %d elements; at most %d are allowed", name, len(list), maxElements)
	}
	return list
}

func (r *request) texts(name string, n need) []string {
	list := r.list(name, n)
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			r.wrong(name, list)
			return nil
		}
		out = append(out, s)
	}
	return out
}

// objects reads an array of objects.
func (r *request) objects(name string, n need) []object {
	list := r.list(name, n)
	out := make([]object, 0, len(list))
	for i, v := range list {
		fields, ok := v.(map[string]any)
		if !ok {
			r.wrong(fmt.Sprintf("%s[%d]", name, i), v)
			return nil
		}
		out = append(out, object{r, fmt.Sprintf("%s[%d].", name, i), fields})
	}
	return out
}

// object is one element of an array of objects, or an object in one.
type object struct {
	r      *request
	path   string
	fields map[string]any
}

func (o object) get(name string) (any, bool) {
	v, there := o.fields[name]
	if !there {
		v, there = o.fields[camel(name)]
	}
	return v, there && v != nil
}

// need remembers that a field is missing.
func (o object) need(name string) {
	if v, there := o.get(name); (!there || v == "") && o.r.err == nil {
		o.r.err = fault.Invalidf("Missing value for required parameter '%s'."+seeDocs, o.path+name)
	}
}

func (o object) text(name string) string {
	v, there := o.get(name)
	if !there {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		o.r.wrong(o.path+name, v)
	}
	return s
}

func (o object) optionalText(name string) *string {
	if _, there := o.get(name); !there {
		return nil
	}
	s := o.text(name)
	return &s
}

func (o object) whole(name string) int64 {
	v, there := o.get(name)
	if !there {
		return 0
	}
	i, ok := integer(v)
	if !ok {
		o.r.wrong(o.path+name, v)
	}
	return i
}

func (o object) number(name string) float64 {
	v, there := o.get(name)
	if !there {
		return 0
	}
	f, ok := float(v)
	if !ok {
		o.r.wrong(o.path+name, v)
	}
	return f
}

func (o object) object(name string) object {
	v, _ := o.get(name)
	fields, ok := v.(map[string]any)
	if !ok && v != nil {
		o.r.wrong(o.path+name, v)
	}
	return object{o.r, o.path + name + ".", fields}
}

func (o object) objects(name string) []object {
	v, _ := o.get(name)
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		o.r.wrong(o.path+name, v)
		return nil
	}
	var out []object
	for i, e := range list {
		fields, ok := e.(map[string]any)
		if !ok {
			o.r.wrong(fmt.Sprintf("%s%s[%d]", o.path, name, i), e)
			return nil
		}
		out = append(out, object{o.r, fmt.Sprintf("%s%s[%d].", o.path, name, i), fields})
	}
	return out
}

// pairs reads an array of keys with values.
func (r *request) pairs(name string) []track.KV { return pairs(r.objects(name, optional)) }

func pairs(list []object) []track.KV {
	out := make([]track.KV, 0, len(list))
	for _, o := range list {
		out = append(out, track.KV{Key: o.text("key"), Value: o.text("value")})
	}
	return out
}

// runID reads the id of a run, which old clients call run_uuid.
func (r *request) runID() string {
	if _, there := r.take("run_id", optional); !there {
		if _, there := r.take("run_uuid", optional); there {
			return r.text("run_uuid", required)
		}
	}
	return r.text("run_id", required)
}

// unescape decodes one segment of a path; what is not well formed stays as it is.
func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
