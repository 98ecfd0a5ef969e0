//! The ChamberCluster resource: types, validation rules, conditions, names.
