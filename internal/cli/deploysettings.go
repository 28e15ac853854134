package cli

import (
	"encoding/json"
	"strings"

	"github.com/spf13/pflag"

	"levada/internal/core/endpoint"
	"levada/internal/core/fault"
	"levada/internal/core/rollout"
)

// addLogSettings declares the flags of an endpoint that say what it logs.
func addLogSettings(flags *pflag.FlagSet, s *endpoint.Settings) {
	s.Log = &endpoint.Log{}
	flags.Float64Var(&s.Log.Sample, "log-sample", 0, "log a `SHARE` of the requests and answers, such as 0.1; 0 logs none")
	flags.StringArrayVar(&s.Log.Drop, "log-drop", nil, "`COLUMN`, an input or output, that is never logged (repeatable)")
	flags.BoolVar(&s.Log.KeepPII, "log-keep-pii", false, "log columns also when values look like personal data")
	flags.StringVar(&s.Log.Prediction, "log-prediction", "", "`OUTPUT` that the truth is compared with (default: the first)")
	flags.IntVar(&s.Log.KeepDays, "log-keep-days", 0, "`DAYS` that logged requests are kept (default 30)")
	flags.IntVar(&s.Log.KeepMB, "log-keep-mb", 0, "`MIB` of logged requests that are kept, the newest (default 1024)")
}

// addLookupSettings declares the flags of an endpoint that say which table it looks features up in.
func addLookupSettings(flags *pflag.FlagSet, s *endpoint.Settings) {
	s.Lookup = &endpoint.Lookup{}
	flags.StringVar(&s.Lookup.Artifact, "lookup", "", "id of the `ARTIFACT` whose columns are joined to each request; none joins nothing")
	flags.StringSliceVar(&s.Lookup.Key, "lookup-key", nil, "`COLUMN,COLUMN` that finds a row of it")
	flags.StringSliceVar(&s.Lookup.Columns, "lookup-columns", nil, "`COLUMN,COLUMN` that are joined (default: all others)")
	flags.StringVar((*string)(&s.Lookup.Missing), "lookup-missing", "", "what becomes of a key that is not there: `WAY` is error (the default), null or default")
	flags.StringArray("lookup-default", nil, "`COLUMN=VALUE` for --lookup-missing default; VALUE is JSON, or else a text (repeatable)")
	flags.IntVar(&s.Lookup.MaxMB, "lookup-max-mb", 0, "`MIB` that the table may take in memory (default 256)")
}

// logAndLookup are how an endpoint logs and what it looks up, with what the flags change; nil for nothing.
func logAndLookup(before, given endpoint.Settings, flags *pflag.FlagSet) (*endpoint.Log, *endpoint.Lookup, error) {
	log, err := logOf(before.Log, *given.Log, flags)
	if err != nil {
		return nil, nil, err
	}
	lookup, err := lookupOf(before.Lookup, *given.Lookup, flags)
	return log, lookup, err
}

// logOf is how an endpoint logs, with what the flags change; nil where it does not.
func logOf(before *endpoint.Log, given endpoint.Log, flags *pflag.FlagSet) (*endpoint.Log, error) {
	out := endpoint.Log{}
	if before != nil {
		out = *before
	}
	changed := false
	for flag, take := range map[string]func(){
		"log-sample": func() { out.Sample = given.Sample }, "log-drop": func() { out.Drop = given.Drop },
		"log-keep-pii": func() { out.KeepPII = given.KeepPII }, "log-prediction": func() { out.Prediction = given.Prediction },
		"log-keep-days": func() { out.KeepDays = given.KeepDays }, "log-keep-mb": func() { out.KeepMB = given.KeepMB },
	} {
		if flags.Changed(flag) {
			take()
			changed = true
		}
	}
	switch {
	case !changed:
		return before, nil
	case flags.Changed("log-sample") && given.Sample == 0:
		return nil, nil //nolint:nilnil // nothing is logged
	case out.Sample == 0:
		return nil, fault.Invalidf("the endpoint logs no requests: add --log-sample SHARE")
	}
	return &out, nil
}

// lookupOf is what an endpoint looks up, with what the flags change; nil for nothing.
func lookupOf(before *endpoint.Lookup, given endpoint.Lookup, flags *pflag.FlagSet) (*endpoint.Lookup, error) {
	out := endpoint.Lookup{}
	if before != nil {
		out = *before
	}
	changed := false
	for flag, take := range map[string]func(){
		"lookup": func() { out.Artifact = given.Artifact }, "lookup-key": func() { out.Key = given.Key },
		"lookup-columns": func() { out.Columns = given.Columns }, "lookup-missing": func() { out.Missing = given.Missing },
		"lookup-max-mb": func() { out.MaxMB = given.MaxMB }, "lookup-default": func() { out.Defaults = nil },
	} {
		if flags.Changed(flag) {
			take()
			changed = true
		}
	}
	switch {
	case !changed:
		return before, nil
	case given.Artifact == "none":
		return nil, nil //nolint:nilnil // nothing is joined
	case out.Artifact == "" || len(out.Key) == 0:
		return nil, fault.Invalidf("the endpoint looks nothing up: add --lookup ARTIFACT and --lookup-key COLUMN")
	}
	if !flags.Changed("lookup-default") {
		return &out, nil
	}
	list, err := flags.GetStringArray("lookup-default")
	if err != nil {
		return nil, err
	}
	out.Defaults = map[string]any{}
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fault.Invalidf("--lookup-default %q: want COLUMN=VALUE, such as delay=0", text)
		}
		var v any
		if json.Unmarshal([]byte(value), &v) != nil {
			v = value
		}
		out.Defaults[name] = v
	}
	return &out, nil
}

// rolloutOf is the plan of rollouts that bring none, with what the flags change; nil for none.
func rolloutOf(before *rollout.Plan, flags *pflag.FlagSet) (*rollout.Plan, error) {
	file, err := flags.GetString("rollout-plan")
	switch {
	case err != nil || !flags.Changed("rollout-plan"):
		return before, err
	case file == "none":
		return nil, nil //nolint:nilnil // it has none
	}
	_, plan, err := readPlan(file)
	return &plan, err
}
