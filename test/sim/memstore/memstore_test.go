package memstore_test

import (
	"testing"

	"levada/internal/adapter/store/storetest"
	"levada/internal/pipeline"
	"levada/test/sim/memstore"
)

var _ pipeline.Store = (*memstore.Store)(nil)

func TestTheMemoryStoreKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) storetest.Store { return memstore.New() })
}
