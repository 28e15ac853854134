package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"levada/internal/core/fault"
)

// position is a place in a list: the sort key and the id of the last row before it. Key is a string or an
// int64.
type position struct {
	key any
	id  string
}

// token is the content of a page token, JSON in URL-safe base64. Clients hand it back as they got it.
type token struct {
	Key   string `json:"k"`
	ID    string `json:"i"`
	Query string `json:"q"`
}

// digest identifies everything that decides what is in a list and in which order, but not the size of its
// pages. It is taken before the position is bound.
func (st *statement) digest() string {
	body, err := json.Marshal([]any{st.list.name, st.filter(), st.args, st.sort, st.desc})
	if err != nil {
		// Arguments are strings and integers, which always encode.
		panic(fmt.Sprintf("encode a query: %v", err))
	}
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

func (st *statement) encodeToken(at position, digest string) string {
	body, err := json.Marshal(token{Key: fmt.Sprint(at.key), ID: at.id, Query: digest})
	if err != nil {
		panic(fmt.Sprintf("encode a page token: %v", err)) // three strings always encode
	}
	return base64.RawURLEncoding.EncodeToString(body)
}

// decodeToken returns where to go on, nil for the first page.
func (st *statement) decodeToken(s, digest string) (*position, error) {
	if s == "" {
		return nil, nil
	}
	var t token
	body, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(body, &t)
	}
	if err != nil {
		return nil, fault.Invalidf("list %s: the page token is not one of ours; start again without a token", st.list.name)
	}
	if t.Query != digest {
		return nil, fault.Invalidf("list %s: the page token belongs to another query; keep filter and order while paging, or start again without a token", st.list.name)
	}
	at := &position{key: t.Key, id: t.ID}
	if st.list.columns[st.sort].kind != text {
		n, err := strconv.ParseInt(t.Key, 10, 64)
		if err != nil {
			return nil, fault.Invalidf("list %s: the page token is not one of ours; start again without a token", st.list.name)
		}
		at.key = n
	}
	return at, nil
}
