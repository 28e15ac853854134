package app

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"levada/internal/adapter/outbound"
	"levada/internal/adapter/seal"
	"levada/internal/adapter/telemetry"
	"levada/internal/webhook"
)

// openWebhooks builds the service of webhooks; only a server that serves delivers.
func (s *server) openWebhooks(box *seal.Box, does mode) error {
	hosts := strings.FieldsFunc(s.cfg.WebhookHosts, func(r rune) bool { return r == ',' || r == ' ' })
	sender, err := outbound.New(hosts)
	if err != nil {
		return err
	}
	s.outbound = sender
	s.webhooks = webhook.New(webhook.Options{
		Store: s.store.Webhooks(), Sender: sender, Box: box, Logger: s.log, Now: time.Now, NewID: uuid.NewString,
	})
	if does != serving {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.webhooks.Run(ctx)
	}()
	s.stopWebhooks = func() {
		cancel()
		<-done
	}
	return nil
}

// webhookReadings tells the metrics how deliveries go.
func (s *server) webhookReadings() []telemetry.Reading {
	count := func(result string, value func(webhook.Stats) int64) telemetry.Reading {
		return telemetry.Reading{Name: "levada_webhook_deliveries_total", Help: "Attempts to deliver to webhooks, by result: failed ones were given up.",
			Labels: map[string]string{"result": result}, Value: func() float64 { return float64(value(s.webhooks.Stats())) }}
	}
	return []telemetry.Reading{
		count("delivered", func(st webhook.Stats) int64 { return st.Delivered }),
		count("retried", func(st webhook.Stats) int64 { return st.Retried }),
		count("failed", func(st webhook.Stats) int64 { return st.Failed }),
		{Name: "levada_webhook_deliveries_waiting", Help: "Deliveries that webhooks have not taken yet.",
			Value: func() float64 { return float64(s.webhooks.Stats().Waiting) }},
	}
}
