package county

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what an operator watches. No label names a person, a machine or a
// village.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bundles  *prometheus.CounterVec
	changes  prometheus.Counter
	photos   *prometheus.CounterVec
	refused  *prometheus.CounterVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ironfeet_requests_total", Help: "Requests answered, by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ironfeet_request_seconds", Help: "How long an answer took.", Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .5, 2, 10, 60},
		}, []string{"route"}),
		bundles: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ironfeet_bundles_total", Help: "Bundles taken in, by what became of them."}, []string{"outcome"}),
		changes: prometheus.NewCounter(prometheus.CounterOpts{Name: "ironfeet_changes_total", Help: "Changes applied."}),
		photos:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ironfeet_photo_bytes_total", Help: "Bytes of photos, in and out."}, []string{"way"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ironfeet_refused_total", Help: "Requests refused, by reason."}, []string{"code"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.bundles, m.changes, m.photos, m.refused,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ironfeet_held_bundles", Help: "Bundles that wait or were set aside."}, s.held),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ironfeet_missing_photos", Help: "Photos that visits name and that have not come yet."}, s.missing))
	return m
}

func (s *Server) held() float64 {
	list, err := s.o.Replica.HeldBundles(context.Background())
	if err != nil {
		return -1
	}
	return float64(len(list))
}

func (s *Server) missing() float64 {
	list, err := s.o.Replica.MissingBlobs(context.Background())
	if err != nil {
		return -1
	}
	return float64(len(list))
}

func (m *metrics) answered(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// Monitor answers what a machine asks that watches over this one: /metrics,
// /healthz, /readyz. It belongs on an address that no stranger reaches.
func (s *Server) Monitor() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

// healthy: the process answers.
func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

// ready: the replica can be read, and nobody has said stop.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() {
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	if _, err := s.o.Replica.Tip(r.Context(), s.o.Replica.Identity().Node); err != nil {
		s.o.Log.Error("not ready", "error", err.Error())
		plain(w, http.StatusServiceUnavailable, "the data folder cannot be read\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // whoever asked has gone
}

// Stop says that no new work should come here: /readyz fails from now on.
func (s *Server) Stop() { s.stopping.Store(true) }
