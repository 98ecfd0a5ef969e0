//! What a search is to do.

use crate::mutant::Mutant;

/// What a search is to do.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// States at most; a search that ends before has seen all.
    pub limit: usize,
    /// A planted bug.
    pub mutant: Option<Mutant>,
    /// Whether each order passes the controller's fuse, too.
    pub fuse: bool,
}
