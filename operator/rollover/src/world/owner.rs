//! Which resource a key's tags and its holders' trust policies name.

/// A `ChamberCluster`, told apart from one of its name in a namespace that was made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// uid of namespace kube-system: the customary name of a Kubernetes cluster.
    pub cluster_uid: String,
    /// Namespace of the resource.
    pub namespace: String,
    /// uid of that namespace.
    pub namespace_uid: String,
    /// Name of the resource.
    pub name: String,
}

impl Owner {
    /// `<cluster uid>/<namespace>/<name>`: the value of the tag [`crate::tags::OWNER`].
    pub fn tag(&self) -> String {
        format!("{}/{}/{}", self.cluster_uid, self.namespace, self.name)
    }

    /// `<cluster uid>/<namespace>/<namespace uid>/<name>`: the `ExternalId` of every `AssumeRole`.
    pub fn external_id(&self) -> String {
        external_id(&self.tag(), &self.namespace_uid)
    }
}

/// The external id that an owner's tag and a namespace's uid stand for; a tag of another form stays as it is.
pub fn external_id(tag: &str, namespace_uid: &str) -> String {
    match tag.rsplit_once('/') {
        Some((before, name)) => format!("{before}/{namespace_uid}/{name}"),
        None => tag.to_owned(),
    }
}
