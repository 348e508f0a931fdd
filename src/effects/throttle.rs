//! Rate limit and circuit breaker of one service.
