package mlflow

import (
	"encoding/base64"
	"encoding/json"
	"strconv"

	"levada/internal/core/fault"
)

// Page tokens are what MLflow makes: the base64 of a JSON object with an offset. Clients take them for opaque.

// maxOffset bounds what a token may ask for: no list is that long, and sums with it do not overflow.
const maxOffset = 1 << 40

func encodeToken(offset int) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"offset": ` + strconv.Itoa(offset) + `}`))
}

func decodeToken(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return 0, fault.Invalidf("Invalid page token, could not base64-decode")
	}
	var parsed map[string]any
	if err := json.Unmarshal(text, &parsed); err != nil {
		return 0, fault.Invalidf("Invalid page token, decoded value=b'%s'", text)
	}
	n, ok := parsed["offset"].(float64)
	if !ok || n <= 0 || n > maxOffset {
		return 0, fault.Invalidf("Invalid page token, parsed value=%s", text)
	}
	return int(n), nil
}

// page reads the offset of the token that a request brings.
func (r *request) page() int {
	offset, err := decodeToken(r.text("page_token", optional))
	if r.err == nil {
		r.err = err
	}
	return offset
}

// encodeJSON and decodeJSON are for tokens that hold more than an offset.

func encodeJSON(v any) string {
	return base64.StdEncoding.EncodeToString(appendMarshalled(nil, v))
}

func decodeJSON(token string, v any) error {
	text, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
