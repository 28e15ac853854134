package mail_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"levada/internal/adapter/mail"
	"levada/internal/adapter/mail/mailtest"
	"levada/internal/core/fault"
)

const user, password = "levada-robot", "pa55-w0rd"

// send sends a mail to a server. Where address is not empty the server is named by it.
func send(t *testing.T, s *mailtest.Server, trusted []byte, address, pass string) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	if address == "" {
		address = s.Address
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	to := mail.Server{Address: address, From: "Levada <levada@example.com>", Roots: roots, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Address)
	}}
	if pass != "" {
		to.User, to.Password = user, pass
	}
	return to.Send(ctx, mail.Mail{ID: "m1", Subject: "nightly was not started", Text: "see above", To: []string{"ops@example.com"}, Date: time.Now()})
}

// secrets fails when a text holds the user or the password in any form.
func secrets(t *testing.T, where, text, pass string) {
	t.Helper()
	for _, secret := range []string{user, pass, base64.StdEncoding.EncodeToString([]byte(pass)), base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + pass))} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has %q: %s", where, secret, text)
		}
	}
}

func TestAMailIsGivenOverAnEncryptedConnectionWithThePassword(t *testing.T) {
	cert, trusted := mailtest.Certificate(t, time.Now().Add(time.Hour), "127.0.0.1")
	for name, tc := range map[string]struct {
		options mailtest.Options
		address string
		pass    string
	}{
		"STARTTLS, which is required, and nobody is asked for": {mailtest.Options{RequireTLS: true}, "", ""},
		"STARTTLS and PLAIN":           {mailtest.Options{RequireTLS: true, Mechanisms: []string{"LOGIN", "PLAIN"}, User: user, Password: password}, "", password},
		"STARTTLS and LOGIN":           {mailtest.Options{Mechanisms: []string{"XOAUTH2", "LOGIN"}, User: user, Password: password}, "", password},
		"PLAIN, which is not offered":  {mailtest.Options{User: user, Password: password}, "", password},
		"no mechanism is named":        {mailtest.Options{Offer: "AUTH", User: user, Password: password}, "", password},
		"the old form, both":           {mailtest.Options{Offer: "AUTH=LOGIN PLAIN", User: user, Password: password}, "", password},
		"the old form, LOGIN alone":    {mailtest.Options{Offer: "AUTH=LOGIN", User: user, Password: password}, "", password},
		"TLS from the beginning":       {mailtest.Options{Implicit: true, Mechanisms: []string{"PLAIN"}, User: user, Password: password}, "127.0.0.1:465", password},
		"TLS and LOGIN on another one": {mailtest.Options{Implicit: true, Mechanisms: []string{"LOGIN"}, User: user, Password: password}, "127.0.0.1:465", password},
	} {
		t.Run(name, func(t *testing.T) {
			tc.options.TLS = cert
			s := mailtest.Start(t, tc.options)
			if err := send(t, s, trusted, tc.address, tc.pass); err != nil {
				t.Fatal(err)
			}
			if got := <-s.Mails; !strings.Contains(got, "Subject: nightly was not started\n") || !strings.Contains(got, "\n\nsee above\n") {
				t.Errorf("the mail is %q", got)
			}
			if tc.options.Offer == "AUTH=LOGIN" && !slices.Contains(s.Lines(), "tls AUTH LOGIN") {
				t.Errorf("the client said %q", s.Lines())
			}
			for _, line := range s.Lines() {
				if verb, isPlain := strings.CutPrefix(line, "plain "); isPlain && !strings.HasPrefix(verb, "EHLO") && verb != "STARTTLS" {
					t.Errorf("in clear text the client said %q", verb)
				}
			}
		})
	}
}

func TestACertificateThatIsNotRightGetsNeitherPasswordNorMail(t *testing.T) {
	right, trusted := mailtest.Certificate(t, time.Now().Add(time.Hour), "127.0.0.1")
	other, otherPEM := mailtest.Certificate(t, time.Now().Add(time.Hour), "mail.example.org")
	old, oldPEM := mailtest.Certificate(t, time.Now().Add(-time.Hour), "127.0.0.1")
	_, unrelated := mailtest.Certificate(t, time.Now().Add(time.Hour), "127.0.0.1")
	for name, tc := range map[string]struct {
		cert    *tls.Certificate
		trusted []byte
		want    string
	}{
		"of an authority that nobody knows": {right, unrelated, "x509: "},
		"for another name":                  {other, otherPEM, "x509: "},
		"over":                              {old, oldPEM, "expired"},
	} {
		for way, implicit := range map[string]bool{"STARTTLS": false, "TLS": true} {
			t.Run(name+" by "+way, func(t *testing.T) {
				s := mailtest.Start(t, mailtest.Options{TLS: tc.cert, Implicit: implicit, Mechanisms: []string{"PLAIN", "LOGIN"}, User: user, Password: password})
				address := map[bool]string{true: "127.0.0.1:465", false: s.Address}[implicit]
				err := send(t, s, tc.trusted, address, password)
				if err == nil || fault.KindOf(err) == fault.Invalid || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
					t.Errorf("it says %v", err)
				}
				for _, line := range s.Lines() {
					if strings.Contains(line, "AUTH") || strings.Contains(line, "MAIL") {
						t.Errorf("the client said %q", line)
					}
				}
			})
		}
	}
	s := mailtest.Start(t, mailtest.Options{TLS: right, Mechanisms: []string{"PLAIN"}, User: user, Password: password})
	if err := send(t, s, trusted, "", password); err != nil {
		t.Errorf("with the right one: %v", err)
	}
}

func TestAPasswordIsNeverGivenInClearText(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Mechanisms: []string{"PLAIN", "LOGIN"}, User: user, Password: password})
	err := send(t, s, nil, "", password)
	if err == nil || !strings.Contains(err.Error(), "no encryption (STARTTLS)") {
		t.Errorf("it says %v", err)
	}
	for _, line := range s.Lines() {
		if strings.Contains(line, "AUTH") {
			t.Errorf("the client said %q", line)
		}
	}
	required := mailtest.Start(t, mailtest.Options{RequireTLS: true}) // and does not offer it, as if somebody in between took that away
	if err := send(t, required, nil, "", ""); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `530 "5.7.0 Must issue a STARTTLS`) {
		t.Errorf("of a server that wants encryption and offers none it says %v", err)
	}
}

func TestAPasswordThatIsRefusedIsSaidWithoutIt(t *testing.T) {
	cert, trusted := mailtest.Certificate(t, time.Now().Add(time.Hour), "127.0.0.1")
	const wrong = `wr0ng-"pa55\é`
	for name, tc := range map[string]struct {
		mechanisms []string
		refuses    string
		want       string
		final      bool
	}{
		"by PLAIN":           {[]string{"PLAIN"}, "", `refuses the user or the password: 535 "5.7.8 Authentication credentials invalid"; set them anew`, true},
		"by LOGIN":           {[]string{"LOGIN"}, "", `refuses the user or the password: 535 "5.7.8`, true},
		"and repeated":       {[]string{"PLAIN"}, "535 no: %s", `535 "no: PLAIN ... ... ..."`, true},
		"and repeated LOGIN": {[]string{"LOGIN"}, "535 no: %s", `535 "no: LOGIN ... ..."`, true},
		"for now":            {[]string{"PLAIN"}, "454 4.7.0 try again, %s", `454 "4.7.0 try again`, false},
		"not offered":        {nil, "", `offers no way to log in, and refuses PLAIN: 535 "5.7.8`, true},
		"in no known way":    {[]string{"XOAUTH2", "CRAM-MD5"}, "", `by "XOAUTH2 CRAM-MD5"; want PLAIN or LOGIN`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, mailtest.Options{TLS: cert, Mechanisms: tc.mechanisms, Refuses: tc.refuses, User: user, Password: password})
			err := send(t, s, trusted, "", wrong)
			if err == nil || !strings.Contains(err.Error(), tc.want) || (fault.KindOf(err) == fault.Invalid) != tc.final {
				t.Fatalf("it says %v (%v), want %q", err, fault.KindOf(err), tc.want)
			}
			secrets(t, "the error", err.Error(), wrong)
		})
	}
}

func TestAServerThatTakesNoPasswordSaysSo(t *testing.T) {
	cert, trusted := mailtest.Certificate(t, time.Now().Add(time.Hour), "127.0.0.1")
	err := send(t, mailtest.Start(t, mailtest.Options{TLS: cert}), trusted, "", password)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `offers no way to log in, and refuses PLAIN: 502 "5.5.1 AUTH not implemented"; name another port`) {
		t.Errorf("it says %v (%v)", err, fault.KindOf(err))
	}
}
