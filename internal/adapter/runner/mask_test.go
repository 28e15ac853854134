package runner

import (
	"strings"
	"testing"
)

func TestASecretIsMaskedInTheFormsThatProgramsPrintItIn(t *testing.T) {
	m := newMask([][]byte{[]byte(`Zx"q\7kk'P0 wm`), []byte("pässwörd 𝄞 & more")})
	for form, text := range map[string]string{
		"as it is":             `Zx"q\7kk'P0 wm`,
		"in JSON":              `{"p": "Zx\"q\\7kk'P0 wm"}`,
		"in Python's repr":     `'Zx"q\\7kk\'P0 wm'`,
		"in a query":           "p=Zx%22q%5C7kk%27P0+wm",
		"in a path":            "/Zx%22q%5C7kk%27P0%20wm/",
		"beyond ASCII":         "pässwörd 𝄞 & more",
		"beyond ASCII in JSON": `"p\u00e4ssw\u00f6rd \ud834\udd1e & more"`,
	} {
		if got := string(m.text([]byte(text))); !strings.Contains(got, masked) || strings.Contains(got, "7kk") || strings.Contains(got, "ssw") {
			t.Errorf("%s: %s became %s", form, text, got)
		}
	}
}
