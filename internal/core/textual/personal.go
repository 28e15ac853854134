package textual

import (
	"net/netip"
	"strings"
	"unicode"
)

// Kinds of personal data that are looked for.
const (
	Email      = "email"
	Phone      = "phone"
	CreditCard = "credit_card"
	IBAN       = "iban"
	IPAddress  = "ip_address"
	USSSN      = "us_ssn"
)

// PersonalKinds are all of them, in the order of reports.
var PersonalKinds = [...]string{Email, Phone, CreditCard, IBAN, IPAddress, USSSN}

// kinds is a set of PersonalKinds, a bit for each.
type kinds uint8

const (
	isEmail kinds = 1 << iota
	isPhone
	isCard
	isIBAN
	isIP
	isSSN
)

// mostPersonal bounds how many bytes of a text are looked at.
const mostPersonal = 64 << 10

// digit, letter and word are about ASCII alone: so are all that is looked for.
func digit(c byte) bool  { return c-'0' <= 9 }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func word(c byte) bool   { return digit(c) || letter(c) || c == '_' || c >= 0x80 }

// personal returns what looks like personal data in a text: numbers whose checksums are right, and forms that little else has. The first
// of each kind is given to show, where it is not nil.
func personal(s string, show func(kind kinds, found string)) kinds {
	if len(s) > mostPersonal {
		s = s[:mostPersonal]
	}
	if !worthALook(s) {
		return 0
	}
	var found kinds
	note := func(k kinds, text string) {
		if found&k == 0 && show != nil {
			show(k, text)
		}
		found |= k
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '@' {
			if text := emailAt(s, i); text != "" {
				note(isEmail, text)
			}
			continue
		}
		if i > 0 && word(s[i-1]) {
			continue // in the middle of a word
		}
		n, kind := 0, kinds(0)
		switch {
		case letter(c):
			if n = ibanAt(s, i); n > 0 {
				kind = isIBAN
			} else if n = ipv6At(s, i); n > 0 {
				kind = isIP
			}
		case digit(c) || c == '+' || c == '(' || c == ':':
			n, kind = numberAt(s, i)
		}
		if n > 0 {
			note(kind, s[i:i+n])
			i += n - 1
		}
	}
	return found
}

// worthALook passes over texts that cannot hold any of them, which most are.
func worthALook(s string) bool {
	if len(s) < 6 {
		return false
	}
	digits, colons := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '@':
			return true
		case digit(c):
			digits++
		case c == ':':
			colons++
		}
	}
	return digits >= 4 || colons >= 3
}

// emailAt returns the address around an @.
func emailAt(s string, at int) string {
	low := at
	for low > 0 && (digit(s[low-1]) || letter(s[low-1]) || strings.IndexByte("._%+-", s[low-1]) >= 0) && at-low < 64 {
		low--
	}
	for low < at && s[low] == '.' {
		low++
	}
	high, dot := at+1, -1
	for high < len(s) && (digit(s[high]) || letter(s[high]) || s[high] == '-' || s[high] == '.') && high-at < 254 {
		if s[high] == '.' {
			if s[high-1] == '.' || s[high-1] == '@' {
				return ""
			}
			dot = high
		}
		high++
	}
	if dot == high-1 && dot > 0 { // the end of a sentence
		high = dot
		dot = strings.LastIndexByte(s[at:high], '.')
		if dot >= 0 {
			dot += at
		}
	}
	if low == at || dot < 0 || high-dot < 3 || s[at-1] == '.' || !letter(s[dot+1]) {
		return ""
	}
	return s[low:high]
}

// numberAt looks at the number that begins at a place: an address, a card, a social security number, a telephone.
func numberAt(s string, at int) (int, kinds) {
	if n := ipv4At(s, at); n > 0 {
		return n, isIP
	}
	if n := ipv6At(s, at); n > 0 {
		return n, isIP
	}
	if n := cardAt(s, at); n > 0 {
		return n, isCard
	}
	if n := ssnAt(s, at); n > 0 {
		return n, isSSN
	}
	if n := phoneAt(s, at); n > 0 {
		return n, isPhone
	}
	return 0, 0
}

// ends reports whether a text of n bytes is not followed by more of the same.
func ends(s string, at int) bool {
	return at >= len(s) || !word(s[at]) && (s[at] != '-' && s[at] != '.' || at+1 >= len(s) || !word(s[at+1]))
}

func ipv4At(s string, at int) int {
	n, parts := 0, 0
	for parts < 4 {
		value, digits := 0, 0
		for at+n < len(s) && digit(s[at+n]) && digits < 3 {
			value = value*10 + int(s[at+n]-'0')
			n++
			digits++
		}
		if digits == 0 || value > 255 || digits > 1 && s[at+n-digits] == '0' {
			return 0
		}
		if parts++; parts < 4 {
			if at+n >= len(s) || s[at+n] != '.' {
				return 0
			}
			n++
		}
	}
	if !ends(s, at+n) || at > 0 && s[at-1] == '.' {
		return 0
	}
	return n
}

func ipv6At(s string, at int) int {
	n, colons := 0, 0
	for at+n < len(s) && n < 45 && (digit(s[at+n]) || s[at+n]|0x20 >= 'a' && s[at+n]|0x20 <= 'f' || s[at+n] == ':') {
		if s[at+n] == ':' {
			colons++
		}
		n++
	}
	if colons < 3 || !ends(s, at+n) {
		return 0
	}
	if _, err := netip.ParseAddr(s[at : at+n]); err != nil {
		return 0
	}
	return n
}

// run reads as many digits as there is room for, with single spaces or dashes between them, into digits and the sizes of their groups into
// groups. Both are empty: texts have many numbers, and the room for them is the caller's.
func run(s string, at int, digits []byte, groups []int) (_ []byte, n int, _ []int) {
	last := 0
	for i := at; i < len(s); i++ {
		switch c := s[i]; {
		case digit(c):
			if len(digits) == cap(digits) {
				return digits, n, append(groups, len(digits)-last+1)
			}
			digits = append(digits, c-'0')
			n = i - at + 1
		case (c == ' ' || c == '-') && i+1 < len(s) && digit(s[i+1]) && len(digits) > last:
			groups = append(groups, len(digits)-last)
			last = len(digits)
		default:
			return digits, n, append(groups, len(digits)-last)
		}
	}
	return digits, n, append(groups, len(digits)-last)
}

// cardAt is a number of a card: of the length and with the first digits of a network, with the checksum of Luhn.
func cardAt(s string, at int) int {
	if !digit(s[at]) {
		return 0
	}
	var room [20]byte
	var sizes [20]int
	digits, n, groups := run(s, at, room[:0], sizes[:0])
	if len(digits) < 13 || len(digits) > 19 || !ends(s, at+n) || !network(digits) || !luhn(digits) {
		return 0
	}
	for _, g := range groups[:len(groups)-1] {
		if g < 4 || g > 6 {
			return 0
		}
	}
	return n
}

func luhn(digits []byte) bool {
	sum, different := 0, false
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		different = different || digits[i] != digits[0]
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && different
}

// network reports whether a card of so many digits may begin so: Visa, Mastercard, American Express, Discover, Diners Club, JCB, UnionPay.
func network(d []byte) bool {
	n := len(d)
	four := int(d[0])*1000 + int(d[1])*100 + int(d[2])*10 + int(d[3])
	two, three := four/100, four/10
	switch {
	case d[0] == 4:
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55 || four >= 2221 && four <= 2720:
		return n == 16
	case two == 34 || two == 37:
		return n == 15
	case four == 6011 || three >= 644 && three <= 649 || two == 65 || two == 62:
		return n >= 16
	case three >= 300 && three <= 305 || two == 36 || two == 38:
		return n == 14
	case four >= 3528 && four <= 3589:
		return n == 16
	}
	return false
}

// ssnAt is a social security number of the United States, written 123-45-6789, of a range that is given out.
func ssnAt(s string, at int) int {
	const form = "###-##-####"
	if at+len(form) > len(s) || !ends(s, at+len(form)) || at > 0 && s[at-1] == '-' {
		return 0
	}
	for i := range len(form) {
		if form[i] == '#' && !digit(s[at+i]) || form[i] == '-' && s[at+i] != '-' {
			return 0
		}
	}
	area := s[at : at+3]
	if area == "000" || area == "666" || area[0] == '9' || s[at+4:at+6] == "00" || s[at+7:at+11] == "0000" {
		return 0
	}
	return len(form)
}

// phoneAt is a telephone number with its country (+49 30 1234567), or one of North America with separators.
func phoneAt(s string, at int) int {
	if s[at] == '+' {
		return countryPhone(s, at)
	}
	if at > 0 && (s[at-1] == '+' || s[at-1] == '-' || s[at-1] == '.') {
		return 0
	}
	i := at
	if strings.HasPrefix(s[i:], "1-") || strings.HasPrefix(s[i:], "1 ") || strings.HasPrefix(s[i:], "1.") {
		i += 2
	}
	open := i < len(s) && s[i] == '('
	if open {
		i++
	}
	three := func() bool {
		ok := i+3 <= len(s) && s[i] >= '2' && s[i] <= '9' && digit(s[i+1]) && digit(s[i+2])
		i += 3
		return ok
	}
	if !three() {
		return 0
	}
	if open {
		if i >= len(s) || s[i] != ')' {
			return 0
		}
		if i++; i < len(s) && s[i] == ' ' {
			i++
		}
	} else if i >= len(s) || strings.IndexByte("-. ", s[i]) < 0 {
		return 0
	} else {
		i++
	}
	if !three() || i >= len(s) || strings.IndexByte("-. ", s[i]) < 0 {
		return 0
	}
	i++
	for end := i + 4; i < end; i++ {
		if i >= len(s) || !digit(s[i]) {
			return 0
		}
	}
	if !ends(s, i) {
		return 0
	}
	return i - at
}

func countryPhone(s string, at int) int {
	digits, n := 0, 0
	for i := at + 1; i < len(s) && i-at < 24; i++ {
		switch c := s[i]; {
		case digit(c):
			if digits == 0 && c == '0' {
				return 0
			}
			digits++
			n = i - at + 1
		case strings.IndexByte(" -.()/", c) >= 0 && digits > 0:
		default:
			i = len(s)
		}
	}
	if digits < 8 || digits > 15 || !ends(s, at+n) {
		return 0
	}
	return n
}

// ibanLengths are those of the countries' account numbers (the IBAN registry of SWIFT).
var ibanLengths = func() map[string]int {
	out := map[string]int{}
	for part := range strings.FieldsSeq("NO15 BE16 DK18 FI18 FO18 GL18 NL18 SD18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 MN20 XK20 CH21 CR22 DE22 BG22 BH22 GB22 GE22 IE22 ME22 " +
		"RS22 VA22 AE23 GI23 IL23 IQ23 OM23 TL23 SO23 AD24 CZ24 ES24 MD24 PK24 RO24 SA24 SE24 SK24 TN24 VG24 PT25 ST25 IS26 TR26 FR27 GR27 IT27 MC27 MR27 SM27 " +
		"BI27 AL28 AZ28 BY28 CY28 DO28 GT28 HU28 LB28 PL28 NI28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 LY25 MT31 LC32 SC31 FK18 DJ27 RU33") {
		out[part[:2]] = int(part[2]-'0')*10 + int(part[3]-'0')
	}
	return out
}()

// ibanAt is an account number of a country that has such, with the right checksum (ISO 7064, mod 97). It may be in groups of four.
func ibanAt(s string, at int) int {
	if at+15 > len(s) || !letter(s[at+1]) || !digit(s[at+2]) || !digit(s[at+3]) {
		return 0
	}
	want := ibanLengths[strings.ToUpper(s[at:at+2])]
	if want == 0 {
		return 0
	}
	compact := make([]byte, 0, 34)
	i := at
	for ; i < len(s) && len(compact) < want; i++ {
		c := s[i]
		switch {
		case digit(c) || letter(c):
			compact = append(compact, c&^(0x20*(c>>6))) // upper case
		case c == ' ' && len(compact)%4 == 0 && len(compact) > 0:
		default:
			return 0
		}
	}
	if len(compact) < want || !ends(s, i) {
		return 0
	}
	rest := 0
	for k := range compact {
		c := compact[(k+4)%len(compact)]
		if digit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	if rest != 1 {
		return 0
	}
	return i - at
}

// mostMasked is how many characters of a value's form are shown.
const mostMasked = 60

// masked is the form of a value: a # for each digit and an x for each letter.
func masked(s string) string {
	out, n := strings.Builder{}, 0
	for _, r := range s {
		if n++; n > mostMasked {
			out.WriteString("…")
			break
		}
		switch {
		case unicode.IsDigit(r):
			out.WriteByte('#')
		case unicode.IsLetter(r) || unicode.IsMark(r):
			out.WriteByte('x')
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// Mask returns a text as it can be shown: where it holds personal data, its form alone.
func Mask(s string) string {
	if personal(s, nil) == 0 {
		return s
	}
	return masked(s)
}

// PersonalKind is the first kind of personal data that a text holds, in the order of PersonalKinds; empty for none.
func PersonalKind(s string) string {
	found := personal(s, nil)
	for i, kind := range PersonalKinds {
		if found&(1<<i) != 0 {
			return kind
		}
	}
	return ""
}
