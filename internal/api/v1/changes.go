package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"levada/internal/changes"
	"levada/internal/core/change"
)

type changesInput struct {
	Topics []change.Topic `query:"topics" nullable:"false" doc:"topics to be told of, separated by commas; without it all" enum:"runs,tracked-runs,experiments,models,pipelines,recurring-runs,backfills,artifacts,endpoints,system"`
	AwayMS int64          `query:"away_ms" minimum:"0" maximum:"31536000000" doc:"how long ago the client was told last, or read what it shows: topics that have changed since are told of at once"`
}

func (h *handler) registerChanges(api huma.API) {
	huma.Register(api, huma.Operation{OperationID: "watch-changes", Method: http.MethodGet, Path: Prefix + "/changes",
		Summary: "Follow what changes", Tags: []string{"changes"},
		Description: "Server-sent events `change`, each with a topic of which something has changed and, where that is known, the ids. " +
			"They say what to ask again, not what it is now. What changes within a tenth of a second is told together. A client that is slow " +
			"is told without ids: then anything of the topic may have changed.",
		Responses: map[string]*huma.Response{"200": eventStreamResponse("events change")}}, h.watchChanges)
}

func (h *handler) watchChanges(_ context.Context, in *changesInput) (*huma.StreamResponse, error) {
	topics := in.Topics
	if len(topics) == 0 {
		topics = change.Topics()
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		sub := h.Changes.Subscribe(topics, time.Duration(in.AwayMS)*time.Millisecond)
		defer sub.Close()
		s, err := openStream(hc)
		if err != nil {
			return
		}
		for h.sendChanges(hc.Context(), s, sub) == nil {
		}
	}}, nil
}

// sendChanges sends what changes next, or a heartbeat when nothing does. It fails when the client is gone or the server stops.
func (h *handler) sendChanges(ctx context.Context, s *stream, sub *changes.Subscription) error {
	quiet, cancel := context.WithTimeout(ctx, h.Heartbeat)
	defer cancel()
	notices := sub.Next(quiet)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(notices) == 0 {
		return s.heartbeat()
	}
	for _, n := range notices {
		if err := s.send("change", n); err != nil {
			return err
		}
	}
	return s.flush()
}
