package search

import (
	"slices"
	"strings"

	"levada/internal/core/fault"
)

// Grammar says what the filters of one kind of row may name.
type Grammar struct {
	// entities maps the words before the dot.
	entities map[string]Entity
	// valid are the words that a message about a wrong one shows.
	valid string
	// attributes are those that can be filtered, numbers those among them that are numbers.
	attributes []string
	numbers    []string
	// orders are the attributes that rows can be sorted by.
	orders []string
	// lists are the attributes that can be compared with a list; nil means all.
	lists []string
	// aliases maps other spellings of attributes.
	aliases map[string]string
	// textOps are the comparators of text attributes.
	textOps []string
	// nullable are the entities that IS NULL works on.
	nullable []Entity
	// repeats allows a key twice in an order, and whole wants numbers without a fraction.
	repeats, whole bool
	// quotedNumbers allows quotes around a number.
	quotedNumbers bool
	// lax filters take text without quotes, as those of logged models do.
	lax bool
	// rename maps a term to what it stands for, and compare reads what follows a term, where that differs from other kinds of rows.
	rename  func(Term) Term
	compare func(p *parser, t Term, op string) (Expr, error)
}

var (
	numberOps = []string{">", ">=", "!=", "=", "<", "<="}
	textOps   = []string{"!=", "=", "LIKE", "ILIKE", "IN", "NOT IN"}
	tagOps    = []string{"!=", "=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"}
)

func entities(names ...string) map[string]Entity {
	all := map[string]Entity{
		"metric": Metric, "metrics": Metric, "parameter": Param, "parameters": Param, "param": Param, "params": Param,
		"tag": Tag, "tags": Tag, "attribute": Attribute, "attributes": Attribute, "attr": Attribute, "run": Attribute,
		"dataset": Dataset, "datasets": Dataset,
	}
	if len(names) == 0 {
		return all
	}
	out := map[string]Entity{}
	for _, n := range names {
		out[n] = all[n]
	}
	return out
}

// The grammars of MLflow's search calls.
var (
	runAttributes = []string{"artifact_uri", "end_time", "run_id", "run_name", "start_time", "status", "user_id"}

	Runs = Grammar{
		entities: entities(), valid: "Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
		attributes: runAttributes, orders: runAttributes, numbers: []string{"start_time", "end_time"}, lists: []string{"run_id"},
		aliases: map[string]string{"created": "start_time", "Created": "start_time", "run name": "run_name", "Run name": "run_name",
			"Run Name": "run_name"},
		textOps: textOps, nullable: []Entity{Param, Tag},
	}
	experimentAttributes = []string{"name", "experiment_id", "creation_time", "last_update_time"}

	Experiments = Grammar{
		entities: entities("attribute", "tag", "tags"), valid: "Valid entity types are ('attribute', 'tag', 'tags')",
		attributes: experimentAttributes, orders: experimentAttributes, numbers: []string{"creation_time", "last_update_time"},
		lists: []string{"experiment_id"}, textOps: textOps, nullable: []Entity{Tag}, repeats: true, whole: true,
	}
	Models = Grammar{
		entities: entities("attribute", "tag", "tags"), valid: "Valid entity types are ('attribute', 'tag', 'tags')",
		attributes: []string{"name"}, orders: []string{"name", "creation_timestamp", "last_updated_timestamp"},
		numbers: []string{"creation_timestamp", "last_updated_timestamp"}, lists: []string{"name"}, textOps: textOps,
	}
	ModelVersions = Grammar{
		entities: entities("attribute", "tag", "tags"), valid: "Valid entity types are ('attribute', 'tag', 'tags')",
		attributes: []string{"name", "version_number", "run_id", "source_path"},
		orders:     []string{"name", "version_number", "creation_timestamp", "last_updated_timestamp"},
		numbers:    []string{"version_number", "creation_timestamp", "last_updated_timestamp"}, lists: []string{"name", "run_id"}, textOps: textOps,
		whole: true, quotedNumbers: true,
	}
	loggedModelAttributes = []string{"name", "model_id", "model_type", "status", "source_run_id", "creation_timestamp",
		"last_updated_timestamp", "experiment_id", "artifact_location"}

	LoggedModels = Grammar{
		entities: entities("attributes", "metrics", "params", "tags"), valid: "Expected one of ['attributes', 'metrics', 'params', 'tags'].",
		attributes: loggedModelAttributes, orders: loggedModelAttributes,
		numbers: []string{"creation_timestamp", "last_updated_timestamp"},
		aliases: map[string]string{"creation_time": "creation_timestamp", "creation_timestamp_ms": "creation_timestamp",
			"last_updated_time": "last_updated_timestamp", "last_updated_timestamp_ms": "last_updated_timestamp"},
		textOps: textOps, lax: true,
	}
)

// term reads an identifier.
func (g *Grammar) term(raw string, attributes []string) (Term, error) {
	before, key, dotted := cutDot(raw)
	t := Term{Entity: Attribute, Key: raw}
	if dotted {
		entity, ok := g.entities[strings.Trim(before, "`")]
		if !ok {
			return t, fault.Invalidf("Invalid entity type '%s'. %s", before, g.valid)
		}
		t = Term{Entity: entity, Key: key}
	}
	t.Key = strip(strip(t.Key, `'"`), "`")
	if t.Entity == Attribute {
		if alias, ok := g.aliases[t.Key]; ok {
			t.Key = alias
		}
	}
	switch {
	case t.Entity == Attribute && !slices.Contains(attributes, t.Key):
		return t, fault.Invalidf("Invalid attribute key '%s' specified. Valid keys are '{'%s'}'", t.Key, strings.Join(attributes, "', '"))
	case t.Entity == Dataset && !slices.Contains([]string{"name", "digest", "context"}, t.Key):
		return t, fault.Invalidf("Invalid dataset key '%s' specified. Valid keys are '{'name', 'digest', 'context'}'", t.Key)
	}
	if g.rename != nil {
		t = g.rename(t)
	}
	return t, nil
}

// cutDot cuts at the first dot that is not inside quotes.
func cutDot(raw string) (before, after string, found bool) {
	if raw != "" && (raw[0] == '`' || raw[0] == '"') {
		n := quotedLength(raw)
		if n < len(raw) && raw[n] == '.' {
			return raw[:n], raw[n+1:], true
		}
		return raw, "", false
	}
	return strings.Cut(raw, ".")
}

// strip removes a pair of equal quotes of one of the given kinds.
func strip(s, quotes string) string {
	if len(s) >= 2 && s[0] == s[len(s)-1] && strings.IndexByte(quotes, s[0]) >= 0 {
		return s[1 : len(s)-1]
	}
	return s
}

func (g *Grammar) isNumber(t Term) bool {
	return t.Entity == Metric || t.Entity == Attribute && slices.Contains(g.numbers, t.Key)
}

// checkOp refuses a comparator that does not go with the term.
func (g *Grammar) checkOp(t Term, op string) error {
	ops := g.textOps
	switch {
	case g.isNumber(t):
		ops = numberOps
	case t.Entity == Tag || t.Entity == Param:
		ops = tagOps
	}
	if g.lax && (op == "IN" || op == "NOT IN") && !g.isNumber(t) {
		return nil
	}
	if !slices.Contains(ops, op) {
		return fault.Invalidf("Invalid comparator '%s' not one of '{'%s'}'", op, strings.Join(ops, "', '"))
	}
	return nil
}
