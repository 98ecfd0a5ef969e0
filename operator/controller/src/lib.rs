//! The hands: observe, act, report.
