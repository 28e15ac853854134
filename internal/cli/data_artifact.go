package cli

import (
	"context"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"levada/internal/core/fault"
	"levada/internal/core/observe"
	"levada/internal/dataset"
)

// isArtifact reports whether an argument is the id of an artifact, and not the path of a file.
func isArtifact(arg string) bool {
	if _, err := uuid.Parse(arg); err != nil || len(arg) != 36 {
		return false
	}
	_, err := os.Lstat(arg)
	return err != nil
}

// artifactProfile gets the profile of an artifact from the server, with the named columns alone.
func (a *app) artifactProfile(cmd *cobra.Command, id string, names []string) (p dataset.Profile, err error) {
	err = a.look(cmd, func(ctx context.Context, s *session) error {
		got, err := s.Profile(ctx, id)
		if err != nil {
			return err
		}
		switch got.State {
		case observe.Ready:
		case observe.Failed:
			return fault.Invalidf("artifact %s has no profile: %s", id, got.Reason)
		case observe.Waiting:
			return fault.Unavailablef("the profile of artifact %s is being made; try again in a moment", id)
		default:
			return fault.NotFoundf("artifact %s has not been profiled: it is not declared as a Dataset. Its page offers to do so; or fetch it "+
				"with \"levada artifacts get %s\" and profile the file", id, id)
		}
		if got.Profile == nil {
			return fault.Unavailablef("the server sent no profile of artifact %s", id)
		}
		p = *got.Profile
		return nil
	})
	if err != nil || len(names) == 0 {
		return p, err
	}
	return p.Only(names)
}

// artifactComparison has the server compare two artifacts.
func (a *app) artifactComparison(cmd *cobra.Command, earlier, id string, key []string) (c dataset.Comparison, err error) {
	err = a.look(cmd, func(ctx context.Context, s *session) (err error) {
		c, err = s.Compare(ctx, earlier, id, key)
		return err
	})
	return c, err
}
