// Package traffic decides which of an endpoint's versions answers a request, and which ones see a copy of it.
//
// It is pure: the randomness of a request without a key comes in as a number. What a version is, how it runs and how a plan is
// changed over time are not its business. Start reading at Plan.Choose.
package traffic

import (
	"math"
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// The bounds of a plan.
const (
	MaxVersions = 20
	MaxRules    = 100
	MaxValues   = 1000 // of one rule
	maxText     = 250  // of a name, header or value, in bytes
)

// DefaultKeyHeader is the header whose value is a request's key where the plan names none.
const DefaultKeyHeader = "X-Levada-Key"

// Plan says who gets which version. A deployed version that no part of it names is dark: it answers only requests that ask for it.
type Plan struct {
	// Split shares the requests that no rule takes; the percents add up to 100. A share of 0 keeps a version named, and dark.
	Split []Share `json:"split" nullable:"false" doc:"how requests are shared; the percents add up to 100"`
	// Sticky gives requests of one key the same version for as long as the plan allows.
	Sticky bool `json:"sticky,omitempty" doc:"requests with the same key get the same version"`
	// KeyHeader is the header whose value is the key; empty for DefaultKeyHeader.
	KeyHeader string `json:"key_header,omitempty" doc:"header whose value is the key; X-Levada-Key by default"`
	// Salt changes which keys belong together: two plans with different salts divide the same keys independently.
	Salt string `json:"salt,omitempty" doc:"another salt divides the same keys anew"`
	// Rules are tried in their order, before the split; the first that matches decides.
	Rules []Rule `json:"rules,omitempty" doc:"tried in their order before the split; the first that matches decides"`
	// Shadows see copies of requests; what they answer is compared and thrown away.
	Shadows []Shadow `json:"shadows,omitempty" doc:"versions that see copies of requests and never answer them"`
}

// Share is the part of the requests that a version gets.
type Share struct {
	Version string  `json:"version" doc:"version of the registered model"`
	Percent float64 `json:"percent" minimum:"0" maximum:"100"`
}

// Rule sends the requests that it matches to one version. All conditions that it has must hold, and it has at least one.
type Rule struct {
	Name string `json:"name" doc:"shown in events and answers"`
	// Header with Values or Prefix: the request's header has one of the values, or begins with the prefix. With neither the header
	// must be there.
	Header string   `json:"header,omitempty"`
	Values []string `json:"values,omitempty" doc:"the header has one of these values"`
	Prefix string   `json:"prefix,omitempty" doc:"the header begins with this"`
	// Keys is a cohort by name: the request's key is one of them. Percent is a cohort by lot: that share of all keys, the same ones
	// each time; growing it keeps those that were in it.
	Keys    []string `json:"keys,omitempty" doc:"cohort: the request's key is one of these"`
	Percent float64  `json:"percent,omitempty" minimum:"0" maximum:"100" doc:"cohort: this share of all keys"`
	Version string   `json:"version"`
}

// Shadow is a version that sees copies of a share of the requests.
type Shadow struct {
	Version string  `json:"version"`
	Percent float64 `json:"percent" minimum:"0" maximum:"100" doc:"share of the requests that are copied"`
}

// Choice is what becomes of one request.
type Choice struct {
	Version string
	// Shadows are the versions that get a copy; nil for none.
	Shadows []string
	// Rule is the name of the rule that decided; empty for the split.
	Rule string
}

// All returns a plan that sends every request to one version.
func All(version string) Plan { return Plan{Split: []Share{{version, 100}}} }

// Header is the header whose value is the key of a request.
func (p *Plan) Header() string {
	if p.KeyHeader == "" {
		return DefaultKeyHeader
	}
	return p.KeyHeader
}

// Choose decides for one request. key is what sticks to a version, empty for none; header returns the value of a header, and may be
// nil; r is a random number that is uniform over its range. Equal arguments give equal choices. The plan must be valid.
func (p *Plan) Choose(key string, header func(string) string, r uint64) Choice {
	c := Choice{}
	for i := range p.Rules {
		if p.Rules[i].matches(p.Salt, key, header) {
			c.Version, c.Rule = p.Rules[i].Version, p.Rules[i].Name
			break
		}
	}
	if c.Version == "" {
		c.Version = p.split(key, r)
	}
	for i, s := range p.Shadows {
		if s.Version != c.Version && unit(mix(r+uint64(i)+1))*100 < s.Percent {
			c.Shadows = append(c.Shadows, s.Version)
		}
	}
	return c
}

func (p *Plan) split(key string, r uint64) string {
	if len(p.Split) == 1 {
		return p.Split[0].Version
	}
	if p.Sticky && key != "" {
		return p.rendezvous(key)
	}
	at, sum, last := unit(r)*100, 0.0, ""
	for _, s := range p.Split {
		if s.Percent <= 0 {
			continue
		}
		if sum += s.Percent; at < sum {
			return s.Version
		}
		last = s.Version
	}
	return last // the percents add up to a little less than 100
}

// rendezvous gives a key the version with the highest score: weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted
// distributed hash tables", SPAA 2005; the logarithmic method). A version gets keys in proportion to its weight, and when weights change
// a key moves only to a version whose weight has grown in proportion to that of the version it leaves.
func (p *Plan) rendezvous(key string) string {
	best, version := math.Inf(-1), ""
	for _, s := range p.Split {
		if s.Percent <= 0 {
			continue
		}
		// -ln(u)/w is exponentially distributed with rate w, and the smallest of several such numbers is that of one with a
		// probability in proportion to its rate.
		score := math.Log(unit(hash(p.Salt, s.Version, key))) / s.Percent
		if version == "" || score > best {
			best, version = score, s.Version
		}
	}
	return version
}

func (r *Rule) matches(salt, key string, header func(string) string) bool {
	if r.Header != "" {
		if header == nil {
			return false
		}
		v := header(r.Header)
		switch {
		case len(r.Values) > 0 && !slices.Contains(r.Values, v):
			return false
		case r.Prefix != "" && !strings.HasPrefix(v, r.Prefix):
			return false
		case v == "":
			return false
		}
	}
	if len(r.Keys) > 0 && !slices.Contains(r.Keys, key) {
		return false
	}
	if r.Percent > 0 && (key == "" || unit(hash(salt, "rule "+r.Name, key))*100 >= r.Percent) {
		return false
	}
	return true
}

// Versions returns the versions that a plan names, in order, each once.
func (p *Plan) Versions() []string {
	var out []string
	add := func(v string) {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	for _, s := range p.Split {
		add(s.Version)
	}
	for _, r := range p.Rules {
		add(r.Version)
	}
	for _, s := range p.Shadows {
		add(s.Version)
	}
	return out
}

// Most is the version with the largest share of the split; the first of several, and empty without a split.
func (p *Plan) Most() string {
	most := Share{Percent: -1}
	for _, s := range p.Split {
		if s.Percent > most.Percent {
			most = s
		}
	}
	return most.Version
}

// Answering returns the versions that may answer requests which name none, in order, each once.
func (p *Plan) Answering() []string {
	var out []string
	for _, s := range p.Split {
		if s.Percent > 0 && !slices.Contains(out, s.Version) {
			out = append(out, s.Version)
		}
	}
	for _, r := range p.Rules {
		if !slices.Contains(out, r.Version) {
			out = append(out, r.Version)
		}
	}
	return out
}

// Rename gives a version another name wherever the plan names it.
func (p *Plan) Rename(from, to string) {
	for i := range p.Split {
		if p.Split[i].Version == from {
			p.Split[i].Version = to
		}
	}
	for i := range p.Rules {
		if p.Rules[i].Version == from {
			p.Rules[i].Version = to
		}
	}
	for i := range p.Shadows {
		if p.Shadows[i].Version == from {
			p.Shadows[i].Version = to
		}
	}
}

// Validate refuses a plan that cannot be followed with the given versions.
func (p *Plan) Validate(deployed []string) error {
	if err := p.validateSplit(); err != nil {
		return err
	}
	if err := p.validateRules(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, s := range p.Shadows {
		switch {
		case seen[s.Version]:
			return fault.Invalidf("traffic: version %s is a shadow twice", s.Version)
		case !percent(s.Percent):
			return fault.Invalidf("traffic: shadow %s has %v percent; want a number from 0 to 100", s.Version, s.Percent)
		}
		seen[s.Version] = true
	}
	for _, v := range p.Versions() {
		if !slices.Contains(deployed, v) {
			return fault.Invalidf("traffic: version %q is not deployed here; deployed are %s", fault.Shorten(v, 100), listed(deployed))
		}
	}
	if len(p.KeyHeader) > maxText || len(p.Salt) > maxText || !headerName(p.KeyHeader) {
		return fault.Invalidf("traffic: key_header must be the name of a header, and it and salt at most %d bytes long", maxText)
	}
	return nil
}

func (p *Plan) validateSplit() error {
	if len(p.Split) == 0 {
		return fault.Invalidf("traffic: the split is empty: name at least one version, such as 3=100")
	}
	if len(p.Split) > MaxVersions || len(p.Shadows) > MaxVersions {
		return fault.Invalidf("traffic: more than %d versions", MaxVersions)
	}
	sum := 0.0
	seen := map[string]bool{}
	for _, s := range p.Split {
		switch {
		case s.Version == "":
			return fault.Invalidf("traffic: a share of the split names no version")
		case seen[s.Version]:
			return fault.Invalidf("traffic: version %s is in the split twice", s.Version)
		case !percent(s.Percent):
			return fault.Invalidf("traffic: version %s has %v percent; want a number from 0 to 100", s.Version, s.Percent)
		}
		seen[s.Version] = true
		sum += s.Percent
	}
	if math.Abs(sum-100) > 1e-6 {
		return fault.Invalidf("traffic: the percents add up to %v; want 100", sum)
	}
	return nil
}

func (p *Plan) validateRules() error {
	if len(p.Rules) > MaxRules {
		return fault.Invalidf("traffic: %d rules; at most %d are possible", len(p.Rules), MaxRules)
	}
	seen := map[string]bool{}
	for i, r := range p.Rules {
		at := func(format string, args ...any) error {
			return fault.Invalidf("traffic: rule %d (%s): "+format, append([]any{i + 1, fault.Shorten(r.Name, 50)}, args...)...)
		}
		switch {
		case r.Name == "" || len(r.Name) > maxText || seen[r.Name]:
			return at("want a name of at most %d bytes that no other rule has", maxText)
		case r.Version == "":
			return at("it names no version")
		case r.Header == "" && len(r.Keys) == 0 && r.Percent == 0:
			return at("it has no condition: give header, keys or percent")
		case r.Header == "" && (len(r.Values) > 0 || r.Prefix != ""):
			return at("values and prefix are for a header, and it names none")
		case len(r.Values) > 0 && r.Prefix != "":
			return at("give values or a prefix, not both")
		case !percent(r.Percent):
			return at("it has %v percent; want a number from 0 to 100", r.Percent)
		case len(r.Values) > MaxValues || len(r.Keys) > MaxValues:
			return at("at most %d values and keys are possible", MaxValues)
		case len(r.Header) > maxText || !headerName(r.Header):
			return at("%q is not the name of a header", fault.Shorten(r.Header, 50))
		}
		seen[r.Name] = true
	}
	return nil
}

func percent(p float64) bool { return p >= 0 && p <= 100 }

// headerName reports whether a text can be the name of a header (RFC 9110, token), or is empty.
func headerName(s string) bool {
	for _, c := range s {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c) {
			return false
		}
	}
	return true
}

func listed(versions []string) string {
	if len(versions) == 0 {
		return "none"
	}
	return strings.Join(versions, ", ")
}

// hash is FNV-1a of the parts, finished by mix, because FNV alone spreads the end of a text badly over the high bits. It is part of what
// users see: another hash would move every key, so it never changes.
func hash(parts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, part := range parts {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211 // no text holds this byte where it is UTF-8, so parts cannot run together
	}
	return mix(h)
}

// mix is the finisher of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is a number above 0 and below 1, from the high bits of h.
func unit(h uint64) float64 { return (float64(h>>12) + 0.5) / (1 << 52) }
