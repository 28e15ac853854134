package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	v1 "levada/internal/api/v1"
	"levada/internal/core/fault"
	"levada/internal/core/track"
	"levada/internal/pipeline"
	"levada/internal/tracking"
)

// sources joins what tracking and pipelines know of the code and the environments of runs.
type sources struct {
	tracking *tracking.Service
	pipeline *pipeline.Service
}

// gitTags are the facts that clients note of their code, with the names under which they are shown.
var gitTags = []struct{ tag, name string }{
	{"mlflow.source.git.commit", "commit"}, {"mlflow.source.git.branch", "branch"}, {"mlflow.source.git.repoURL", "repository"},
	{track.TagSourceName, "file"}, {"mlflow.project.entryPoint", "entry point"}, {"mlflow.docker.image.name", "image"},
}

// SourcesOf returns the code and the environments of runs.
func (s sources) SourcesOf(ctx context.Context, runIDs []string) (v1.RunSources, error) {
	out := v1.RunSources{Runs: []v1.RunSource{}, Texts: map[string]string{}}
	runs, _, err := s.tracking.Runs(ctx, runIDs)
	if err != nil {
		return out, err
	}
	for _, r := range runs {
		one := v1.RunSource{RunID: r.ID, Code: map[string]string{}, Environment: map[string]string{}, Texts: []v1.SourceText{}, Notes: []string{}}
		add := func(name, text string, cut bool) {
			sum := sha256.Sum256([]byte(text))
			digest := hex.EncodeToString(sum[:8])
			out.Texts[digest] = text
			one.Texts = append(one.Texts, v1.SourceText{Name: name, Digest: digest, Cut: cut})
		}
		source, _ := track.Find(r.Tags, track.TagSourceType)
		pipelineRun, isTask := track.Find(r.Tags, track.TagPipelineRun)
		switch {
		case source == "PIPELINE" && isTask && strings.Contains(r.ID, "-"):
			if err := s.step(ctx, pipelineRun, r.ID, &one, add); err != nil {
				return out, err
			}
		case source == "PIPELINE" && strings.Contains(r.ID, "-"):
			one.Code["pipeline"], _ = track.Find(r.Tags, track.TagSourceName)
			one.Notes = append(one.Notes, "This is a pipeline’s run: code and environments are those of its tasks.")
		default:
			for _, t := range gitTags {
				if value, there := track.Find(r.Tags, t.tag); there && value != "" {
					one.Code[t.name] = value
				}
			}
		}
		if err := s.models(ctx, r.Run, &one, add); err != nil {
			return out, err
		}
		out.Runs = append(out.Runs, one)
	}
	return out, nil
}

// step adds what a task of a pipeline executed.
func (s sources) step(ctx context.Context, runID, task string, one *v1.RunSource, add func(name, text string, cut bool)) error {
	step, err := s.pipeline.StepSource(ctx, runID, task)
	if fault.KindOf(err) == fault.NotFound {
		one.Notes = append(one.Notes, "The pipeline’s run was deleted, and what the task executed with it.")
		return nil
	}
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"component": step.Component, "image": step.Image} {
		if value != "" {
			one.Code[name] = value
		}
	}
	one.EnvironmentDigest = step.Environment.Digest
	var command []string
	for _, a := range step.Arguments {
		// The source of a Python component is an argument of many lines that defines a function.
		if strings.Contains(a, "\ndef ") || strings.HasPrefix(a, "def ") {
			add("source.py", strings.TrimLeft(a, "\n"), false)
			a = "(source.py)"
		}
		command = append(command, a)
	}
	if len(command) > 0 {
		add("command", strings.Join(command, "\n")+"\n", false)
	}
	for _, p := range step.Environment.Packages {
		name, version, _ := strings.Cut(p, "==")
		one.Environment[name] = version
	}
	if len(step.Environment.Packages) > 0 {
		one.EnvironmentOf = "lock"
	} else {
		one.Notes = append(one.Notes, "The packages of the task’s environment are not shown: "+step.Environment.Note+".")
	}
	return nil
}

// models adds what the models need that a run logged. Where the environment is not known, it is what the first of them asks for.
func (s sources) models(ctx context.Context, r *track.Run, one *v1.RunSource, add func(name, text string, cut bool)) error {
	texts, elsewhere, err := s.tracking.ModelTexts(ctx, r)
	if err != nil {
		return err
	}
	first := ""
	for _, t := range texts {
		if first == "" {
			first = t.Model
		}
		name := t.Name
		if t.Model != first {
			name += " of " + t.Model
		}
		add(name, t.Text, t.Cut)
		if t.Name == "requirements.txt" && one.EnvironmentOf == "" {
			one.Environment, one.EnvironmentOf = tracking.Requirements(t.Text), "requirements"
		}
	}
	for _, name := range elsewhere {
		one.Notes = append(one.Notes, "The files of the model "+name+" are kept elsewhere and are not read here.")
	}
	return nil
}
