package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"levada/internal/config"
	"levada/internal/core/fault"
)

// globalFlags are understood by every command.
type globalFlags struct {
	file   string
	server string
	// settings are the flags that stand for settings, by config.Setting.Key, as they were declared.
	settings map[string]*pflag.Flag
}

func (g *globalFlags) register(root *cobra.Command) {
	g.settings = map[string]*pflag.Flag{}
	flags := root.PersistentFlags()
	flags.StringVar(&g.file, "config", "", "configuration `FILE` (default: levada.yaml in the data directory)")
	flags.String("data", "", "`DIR` that holds everything (default: $LEVADA_DATA, else ~/.local/share/levada)")
	g.settings["data"] = flags.Lookup("data")
}

// addSettings declares flags for settings that only some commands use.
func (a *app) addSettings(cmd *cobra.Command, keys ...string) {
	for _, s := range config.Settings() {
		for _, key := range keys {
			if s.Key != key {
				continue
			}
			if _, isBool := s.Value(config.Config{}).(bool); isBool {
				cmd.Flags().Bool(s.Flag(), false, s.Doc)
			} else {
				cmd.Flags().String(s.Flag(), "", s.Doc)
			}
		}
	}
}

// addServer declares the flag that names a server.
func (a *app) addServer(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVar(&a.flags.server, "server", "",
		"`URL` of a running server (default: $LEVADA_SERVER, else the one of the data directory, else none)")
}

// load computes the configuration for a command.
func (a *app) load(cmd *cobra.Command) (config.Loaded, error) {
	given := map[string]string{}
	for _, s := range config.Settings() {
		if f := cmd.Flags().Lookup(s.Flag()); f != nil && f.Changed {
			given[s.Key] = f.Value.String()
		}
	}
	file := a.flags.file
	if file == "" {
		file = a.environ["LEVADA_CONFIG"]
	}
	return config.Load(config.Sources{File: file, Environ: a.environ, Flags: given})
}

// addOutput declares -o and returns where its value will be.
func addOutput(cmd *cobra.Command) *output {
	o := output("text")
	cmd.Flags().VarP(&o, "output", "o", "text, or json for programs")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return &o
}

// output is the value of -o.
type output string

func (o *output) String() string { return string(*o) }

// Type is shown in the help.
func (o *output) Type() string { return "FORMAT" }

// Set refuses what is neither text nor json.
func (o *output) Set(text string) error {
	if text != "text" && text != "json" {
		return fault.Invalidf("want text or json")
	}
	*o = output(text)
	return nil
}

func (o *output) json() bool { return *o == "json" }
