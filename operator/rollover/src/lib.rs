//! The decision: from what is observed to what is done next. Pure.
