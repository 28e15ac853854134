package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"levada/internal/cli/client"
	"levada/internal/cli/console"
	"levada/internal/core/fault"
	"levada/internal/core/secret"
)

// secretCommand is "levada secret" or "levada configmap".
func (a *app) secretCommand(k secret.Kind) *cobra.Command {
	noun, word := k.String(), string(k)
	cmd := &cobra.Command{
		Use: word, Aliases: []string{word + "s"},
		Short:   "Keep " + noun + "s that steps get as variables or files",
		Example: fmt.Sprintf("  levada %[1]s set database user=ada password=-\n  levada %[1]s list\n  levada %[1]s delete database", word),
		Args:    cobra.NoArgs,
		RunE:    showHelp,
	}
	a.addServer(cmd)
	cmd.AddCommand(a.secretSetCommand(k), a.secretListCommand(k), a.secretDeleteCommand(k))
	if k == secret.ConfigMap {
		cmd.AddCommand(a.configMapShowCommand())
	}
	return cmd
}

func (a *app) secretSetCommand(k secret.Kind) *cobra.Command {
	noun, word := k.String(), string(k)
	var files, envFiles []string
	var replace bool
	cmd := &cobra.Command{
		Use:     "set NAME [KEY=VALUE]...",
		Aliases: []string{"create"},
		Short:   "Create a " + noun + ", or change keys of it",
		Long: "Create a " + noun + ", or change keys of it; other keys stay unless --replace is given.\n\n" +
			"KEY=- reads the value from standard input, without the last line break: it is then in no shell history and no list of\n" +
			"processes.",
		Example: fmt.Sprintf("  levada %[1]s set database user=ada\n  printf %%s \"$PASSWORD\" | levada %[1]s set database password=-\n"+
			"  levada %[1]s set database --from-file ca.crt --from-file key=./client.key\n  levada %[1]s set database --from-env-file .env", word),
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringArrayVar(&files, "from-file", nil, "`[KEY=]PATH` of a file that is the value; the key is the file's name by default")
	cmd.Flags().StringArrayVar(&envFiles, "from-env-file", nil, "`PATH` of a file with a KEY=VALUE on each line")
	cmd.Flags().BoolVar(&replace, "replace", false, "forget all other keys")
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := args[0]
		if err := secret.CheckName(k, name); err != nil {
			return err
		}
		data, err := a.readSecret(args[1:], files, envFiles)
		if err != nil {
			return err
		}
		if err := data.Check(k); err != nil {
			return err
		}
		if len(data) == 0 {
			return fault.Invalidf("nothing to set: give KEY=VALUE, --from-file or --from-env-file")
		}
		return a.look(cmd, func(ctx context.Context, s *session) error {
			info, err := s.SetSecret(ctx, k, name, client.SecretChange{Set: data, Replace: replace})
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(info)
			}
			_, err = fmt.Fprintf(a.deps.Stdout, "%s %s has the keys %s\n", noun, info.Name, strings.Join(info.Keys, ", "))
			return err
		})
	}
	return cmd
}

// readSecret collects values from where the command line says they are. Its errors hold no values.
func (a *app) readSecret(pairs, files, envFiles []string) (secret.Data, error) {
	data := secret.Data{}
	add := func(key string, value []byte) error {
		if _, twice := data[key]; twice {
			return fault.Invalidf("key %q is given twice", key)
		}
		data[key] = value
		return nil
	}
	stdin := false
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fault.Invalidf("want KEY=VALUE or KEY=- (standard input), got an argument without \"=\"")
		}
		content := []byte(value)
		if value == "-" {
			if stdin {
				return nil, fault.Invalidf("only one value can come from standard input")
			}
			stdin = true
			var err error
			if content, err = io.ReadAll(io.LimitReader(a.deps.Stdin, secret.MaxBytes+1)); err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
		}
		if err := add(key, content); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		key, path, ok := strings.Cut(f, "=")
		if !ok {
			key, path = filepath.Base(f), f
		}
		content, err := readLimited(path)
		if err != nil {
			return nil, err
		}
		if err := add(key, content); err != nil {
			return nil, err
		}
	}
	for _, path := range envFiles {
		content, err := readLimited(path)
		if err != nil {
			return nil, err
		}
		if err := readEnvFile(path, string(content), add); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func readLimited(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fault.Invalidf("%w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > secret.MaxBytes {
		return nil, fault.Invalidf("%s: want a file of at most %d bytes", path, secret.MaxBytes)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Invalidf("%w", err)
	}
	return content, nil
}

// readEnvFile reads lines of KEY=VALUE as docker and kubectl do: "#" begins a comment line, nothing is unquoted.
func readEnvFile(path, text string, add func(string, []byte) error) error {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if t := strings.TrimSpace(line); t == "" || t[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimLeft(line, " \t"), "=")
		if !ok {
			return fault.Invalidf("%s, line %d: want KEY=VALUE", path, i+1)
		}
		if err := add(strings.TrimPrefix(key, "export "), []byte(value)); err != nil {
			return fault.Invalidf("%s, line %d: %w", path, i+1, err)
		}
	}
	return nil
}

func (a *app) secretListCommand(k secret.Kind) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List " + k.String() + "s and their keys", Example: "  levada " + string(k) + " list -o json", Args: cobra.NoArgs,
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			list, err := s.Secrets(ctx, k)
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(map[string]any{"items": append([]secret.Entry{}, list...)})
			}
			table := console.NewTable("NAME", "KEYS", "CHANGED")
			table.Flexible = 1
			for _, i := range list {
				table.Add(i.Name, strings.Join(i.Keys, ", "), i.UpdatedAt.Local().Format(time.DateTime))
			}
			return a.printTable(table)
		})
	}
	return cmd
}

func (a *app) secretDeleteCommand(k secret.Kind) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME [KEY]...", Aliases: []string{"rm"},
		Short:   "Delete a " + k.String() + ", or keys of it",
		Example: fmt.Sprintf("  levada %[1]s delete database\n  levada %[1]s delete database password", string(k)),
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd, func(ctx context.Context, s *session) error {
				if len(args) > 1 {
					_, err := s.SetSecret(ctx, k, args[0], client.SecretChange{Remove: args[1:]})
					return err
				}
				return s.DeleteSecret(ctx, k, args[0])
			})
		},
	}
}

func (a *app) configMapShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Aliases: []string{"get"},
		Short: "Print the values of a config map", Example: "  levada configmap show training", Args: cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.look(cmd, func(ctx context.Context, s *session) error {
			m, err := s.ConfigMap(ctx, args[0])
			if err != nil {
				return err
			}
			if out.json() {
				return a.printJSON(m)
			}
			keys := slices.Clone(m.Keys)
			for _, key := range keys {
				value, text := m.Data[key]
				if !text {
					value = "(base64) " + m.BinaryData[key]
				}
				if _, err := fmt.Fprintf(a.deps.Stdout, "%s=%s\n", key, cleanLines(value)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}
