// Package mailtest is a mail server for tests: it speaks SMTP with STARTTLS or TLS and AUTH, over real connections, as it is told to.
//
// It delivers nothing: what it takes it hands to the test. It knows nothing of who sends. Start reading at Start.
package mailtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how a server behaves.
type Options struct {
	// TLS is its certificate; nil offers no encryption. Implicit encrypts from the beginning, as on port 465; else there is STARTTLS.
	TLS      *tls.Certificate
	Implicit bool
	// RequireTLS refuses all else with 530 as long as nothing is encrypted.
	RequireTLS bool
	// Mechanisms are what AUTH offers. They are offered without encryption too: a client must not use them then.
	Mechanisms []string
	// Offer, if set, is the line that offers them instead.
	Offer string
	// User and Password are what AUTH takes. Refuses, if set, is the answer to all others; %s in it is what was sent.
	User, Password, Refuses string
}

// Server is a mail server.
type Server struct {
	o       Options
	Address string
	// Mails are what it has taken.
	Mails chan string

	mu    sync.Mutex
	lines []string
}

// Start starts a server, which ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{o: o, Address: l.Addr().String(), Mails: make(chan string, 10)}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			s.serve(conn)
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Wait()
	})
	return s
}

// Lines are what clients have said, each as "plain" or "tls" and the line.
func (s *Server) Lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// session is one connection.
type session struct {
	*Server
	conn      net.Conn
	text      *textproto.Reader
	encrypted bool
	known     bool // has authenticated
}

func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	c := &session{Server: s, conn: conn, text: textproto.NewReader(bufio.NewReader(conn))}
	if s.o.Implicit && !c.encrypt() {
		return
	}
	c.say("220 mail.test ESMTP")
	for {
		line, err := c.line()
		if err != nil || !c.answer(line) {
			return
		}
	}
}

func (c *session) encrypt() bool {
	secured := tls.Server(c.conn, &tls.Config{Certificates: []tls.Certificate{*c.o.TLS}, MinVersion: tls.VersionTLS12})
	if secured.Handshake() != nil {
		return false
	}
	c.conn, c.text, c.encrypted, c.known = secured, textproto.NewReader(bufio.NewReader(secured)), true, false
	return true
}

func (c *session) say(line string) { fmt.Fprint(c.conn, line, "\r\n") }

func (c *session) line() (string, error) {
	line, err := c.text.ReadLine()
	if err != nil {
		return "", err
	}
	how := "plain "
	if c.encrypted {
		how = "tls "
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, how+line)
	return line, nil
}

// answer answers a line, and says whether the connection goes on.
func (c *session) answer(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); {
	case verb == "EHLO":
		c.hello()
	case verb == "STARTTLS" && c.o.TLS != nil && !c.encrypted:
		c.say("220 go on")
		return c.encrypt()
	case verb == "QUIT":
		c.say("221 bye")
		return false
	case c.o.RequireTLS && !c.encrypted:
		c.say("530 5.7.0 Must issue a STARTTLS command first")
	case verb == "AUTH":
		return c.auth(rest)
	case verb == "MAIL" && c.o.User != "" && !c.known:
		c.say("530 5.7.0 Authentication required")
	case verb == "DATA":
		c.say("354 go on")
		text, err := io.ReadAll(c.text.DotReader())
		if err != nil {
			return false
		}
		c.say("250 taken")
		c.Mails <- string(text)
	default:
		c.say("250 ok")
	}
	return true
}

func (c *session) hello() {
	lines := []string{"mail.test", "8BITMIME"}
	if c.o.TLS != nil && !c.encrypted {
		lines = append(lines, "STARTTLS")
	}
	if c.o.Mechanisms != nil {
		lines = append(lines, "AUTH "+strings.Join(c.o.Mechanisms, " "))
	}
	if c.o.Offer != "" {
		lines = append(lines, c.o.Offer)
	}
	for i, l := range lines {
		c.say("250" + map[bool]string{true: " ", false: "-"}[i == len(lines)-1] + l)
	}
}

func (c *session) auth(given string) bool {
	if c.o.User == "" {
		c.say("502 5.5.1 AUTH not implemented")
		return true
	}
	mechanism, first, _ := strings.Cut(given, " ")
	var user, password string
	switch strings.ToUpper(mechanism) {
	case "PLAIN": // RFC 4616
		parts := strings.Split(unpack(first), "\x00")
		if len(parts) == 3 {
			user, password = parts[1], parts[2]
		}
	case "LOGIN":
		for _, ask := range []struct {
			prompt string
			into   *string
		}{{"Username:", &user}, {"Password:", &password}} {
			c.say("334 " + base64.StdEncoding.EncodeToString([]byte(ask.prompt)))
			line, err := c.line()
			if err != nil {
				return false
			}
			*ask.into = unpack(line)
		}
	}
	switch {
	case user == c.o.User && password == c.o.Password:
		c.known = true
		c.say("235 2.7.0 accepted")
	case c.o.Refuses != "":
		c.say(strings.ReplaceAll(c.o.Refuses, "%s", given+" "+user+" "+password))
	default:
		c.say("535 5.7.8 Authentication credentials invalid")
	}
	return true
}

func unpack(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}

// Certificate makes a certificate for some names and addresses that signs itself, good until a time, and the text (PEM) by which it is trusted.
func Certificate(t testing.TB, until time.Time, names ...string) (*tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"}, NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
