package kfp

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"levada/internal/core/fault"
	"levada/internal/core/listing"
)

// pageToken is what next_page_token holds, as base64 of JSON. KFP's tokens carry sort order and filter, and its clients
// may leave both out when they pass a token.
type pageToken struct {
	Next   string `json:"next"`
	SortBy string `json:"sort_by,omitempty"`
	Filter string `json:"filter,omitempty"`
}

func (t pageToken) encode() string {
	data, err := json.Marshal(t)
	if err != nil {
		return "" // cannot happen: three strings
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// page is a list request: the query for the service, and what the next token must remember.
type page struct {
	listing.Query
	token pageToken
}

// next wraps the service's token, empty on the last page.
func (p page) next(serviceToken string) string {
	if serviceToken == "" {
		return ""
	}
	p.token.Next = serviceToken
	return p.token.encode()
}

// readPage translates page_size, page_token, sort_by and filter.
func readPage(r *http.Request, cols columns) (page, error) {
	query := r.URL.Query()
	sortBy, filter := query.Get("sort_by"), query.Get("filter")
	var p page
	if given := query.Get("page_token"); given != "" {
		token, err := decodeToken(given)
		if err != nil {
			return page{}, err
		}
		if sortBy != "" && sortBy != token.SortBy || filter != "" && filter != token.Filter {
			return page{}, fault.Invalidf("page_token belongs to a list with another sort_by or filter: repeat those of the first page or leave them out")
		}
		sortBy, filter = token.SortBy, token.Filter
		p.PageToken = token.Next
	}
	p.token = pageToken{SortBy: sortBy, Filter: filter}
	if size := query.Get("page_size"); size != "" {
		n, err := strconv.ParseInt(size, 10, 32)
		if err != nil || n < 0 {
			return page{}, fault.Invalidf("page_size: want a number from 0 to 200, got %q", shorten(size))
		}
		p.PageSize = int(n)
	}
	var err error
	if p.SortBy, p.Descending, err = cols.sort(sortBy); err != nil {
		return page{}, err
	}
	p.Where, err = cols.filter(filter)
	return p, err
}

func decodeToken(given string) (pageToken, error) {
	var t pageToken
	data, err := base64.RawURLEncoding.DecodeString(given)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil || t.Next == "" {
		return t, fault.Invalidf("page_token is not one that this server gave out: start again without it")
	}
	return t, nil
}

// sort reads "field", "field asc" or "field desc" in any case. KFP's default is the oldest first.
func (c columns) sort(by string) (key string, descending bool, err error) {
	words := strings.Fields(strings.ToLower(by))
	if len(words) == 0 {
		return "created_at", false, nil
	}
	if len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
		return "", false, fault.Invalidf("sort_by: want a field name, alone or followed by asc or desc, got %q", shorten(by))
	}
	col, ok := c[words[0]]
	if !ok {
		return "", false, fault.Invalidf("sort_by: cannot sort on %q; possible: %s", shorten(words[0]), c.names())
	}
	return col.key, len(words) == 2 && words[1] == "desc", nil
}

// filterFields and the rest are the fields of the messages in filter.proto.
var (
	filterFields    = []string{"predicates"}
	predicateFields = []string{
		"operation", "key", "int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values",
	}
	listFields = []string{"values"}
)

// filter translates a JSON filter. The specification says it is URL-encoded once more inside the query; clients send it
// plain. Both are read.
func (c columns) filter(text string) ([]listing.Predicate, error) {
	if text == "" {
		return nil, nil
	}
	if !json.Valid([]byte(text)) {
		plain, err := url.QueryUnescape(text)
		if err != nil || !json.Valid([]byte(plain)) {
			return nil, fault.Invalidf(`filter: want JSON such as {"predicates":[{"operation":"EQUALS","key":"display_name","string_value":"x"}]}`)
		}
		text = plain
	}
	m, err := parseMessage([]byte(text), "filter", filterFields)
	if err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if m.has("predicates") {
		if err := json.Unmarshal(m.fields["predicates"], &raw); err != nil {
			return nil, fault.Invalidf("filter.predicates: want a list, got %s", excerpt(m.fields["predicates"]))
		}
	}
	var out []listing.Predicate
	for i, data := range raw {
		path := "filter.predicates[" + strconv.Itoa(i) + "]"
		m, err := parseMessage(data, path, predicateFields)
		if err != nil {
			return nil, err
		}
		p, err := c.predicate(m)
		if err != nil {
			return nil, err
		}
		out = append(out, p...)
	}
	return out, nil
}
