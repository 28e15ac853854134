package mail

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// authenticate gives user and password, in a way that the server offers and over an encrypted connection only: smtp.PlainAuth alone would
// give them in clear text to a server on this machine.
func (s Server) authenticate(c *smtp.Client, host string) error {
	if _, encrypted := c.TLSConnectionState(); !encrypted {
		return errors.New("it offers no encryption (STARTTLS), and a password is sent over encrypted connections only: " +
			"name a port that does, such as 587 or 465, or leave user and password out of the secret")
	}
	offered := mechanisms(c)
	var auth smtp.Auth
	switch {
	case slices.Contains(offered, "PLAIN"), len(offered) == 0: // some take passwords and do not say so
		auth = smtp.PlainAuth("", s.User, s.Password, host)
	case slices.Contains(offered, "LOGIN"):
		auth = &login{answers: []string{s.User, s.Password}}
	default:
		return fault.Invalidf("the mail server %s takes passwords by %q; want PLAIN or LOGIN among these: name another server, or leave user and password out of the secret",
			s.Address, fault.Shorten(strings.Join(offered, " "), 100))
	}
	err := c.Auth(auth)
	if err == nil {
		return nil
	}
	said, ok := errors.AsType[*textproto.Error](err)
	switch {
	case ok && said.Code >= 500 && len(offered) == 0:
		return fault.Invalidf("the mail server %s offers no way to log in, and refuses PLAIN: %d %q; name another port, such as 587 or 465, set user and password anew in the secret "+
			"(levada secret set), or leave them out", s.Address, said.Code, s.concealed(said.Msg))
	case ok && said.Code >= 500:
		return fault.Invalidf("the mail server %s refuses the user or the password: %d %q; set them anew in the secret (levada secret set)", s.Address, said.Code, s.concealed(said.Msg))
	case ok:
		return fmt.Errorf("log in: %d %q", said.Code, s.concealed(said.Msg))
	}
	return fmt.Errorf("log in: %s", s.concealed(err.Error()))
}

// mechanisms are the ways to log in that a server offers, also in the form of before RFC 2554, AUTH=LOGIN PLAIN.
func mechanisms(c *smtp.Client) []string {
	_, offered := c.Extension("AUTH")
	list := strings.Fields(strings.ToUpper(offered))
	for _, first := range []string{"PLAIN", "LOGIN"} {
		if ok, others := c.Extension("AUTH=" + first); ok {
			list = append(append(list, first), strings.Fields(strings.ToUpper(others))...)
		}
	}
	return list
}

// concealed is what a server said, without what it was given.
func (s Server) concealed(said string) string {
	pack := base64.StdEncoding.EncodeToString
	for _, secret := range []string{pack([]byte("\x00" + s.User + "\x00" + s.Password)), pack([]byte(s.Password)), pack([]byte(s.User)), s.Password, s.User} {
		if secret != "" {
			said = strings.ReplaceAll(said, secret, "...")
		}
	}
	return fault.Shorten(said, 300)
}

// login is the mechanism LOGIN, which has no standard (draft-murchison-sasl-login) and is all that some servers offer: the server asks for
// one thing after the other.
type login struct{ answers []string }

// Start begins it.
func (*login) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

// Next answers a question.
func (l *login) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	if len(l.answers) == 0 {
		return nil, errors.New("the server asks for more than a user and a password")
	}
	answer := l.answers[0]
	l.answers = l.answers[1:]
	return []byte(answer), nil
}
