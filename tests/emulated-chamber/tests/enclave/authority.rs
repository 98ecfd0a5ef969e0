//! A cluster whose image measures an authority: its chambers do what a manifest says.

use attestation::{At, Claims, Root, Verified, verify};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Start, Task};
use cluster_manifest::Manifest;
use enclave_sim::Launch;
use key_policy::Template;
use manifest_makers::{ACCOUNT, Module, Office, key, request};
use measurement::{Measurement, Pcr};
use sealed_blob::{InnerBlob, MasterKey, bind};
use unseal_agent::{Trust, config};

use crate::world::{CLUSTER, Running, World, start};

/// The image, and who signs for it.
pub struct Cluster {
    pub world: World,
    pub office: Office,
}

impl Cluster {
    pub async fn start() -> Self {
        let world = World::measuring_an_authority().await;
        let office = Office::of_pem(&world.file("authority.key.pem"));
        Self { world, office }
    }

    pub fn launch(&self) -> Launch {
        self.world.small_launch()
    }

    /// PCR0 and PCR8 of the image.
    pub fn named(&self) -> (Pcr, Pcr) {
        let registers = self.world.registers();
        (registers[&0], registers[&8])
    }

    pub fn permit(&self) -> Manifest {
        manifest_makers::permit(self.named().1)
    }

    /// What lets the image unseal this blob.
    pub fn run_manifest(&self, inner: &InnerBlob) -> Manifest {
        manifest_makers::run_manifest(self.named().1, inner.commitment)
    }

    /// What an honest host tells its agent.
    pub fn under(&self, manifest: &Manifest, task: Task) -> Start {
        start(Some(self.office.sign(manifest)), task)
    }

    pub async fn chamber(&self, manifest: &Manifest, task: Task) -> Running {
        let start = self.under(manifest, task);
        self.world.started(start, self.launch()).await
    }

    /// The blob that an enclave makes of this task.
    pub async fn made(&self, manifest: &Manifest, task: Task) -> Vec<u8> {
        let running = self.chamber(manifest, task).await;
        let blob = running.offer().await;
        running.end().await;
        BASE64.decode(blob).unwrap()
    }

    /// A blob as an enclave of this image seals it under the permit, without the enclave.
    pub async fn sealed(&self) -> Vec<u8> {
        let (image, signer) = self.named();
        let module = self.module(&[(0, image), (8, signer)]);
        let trust = Trust {
            root: self.root(),
            authorities: vec![self.office.authority()],
        };
        let permit = self.office.sign(&self.permit());
        let allowed = trust.accept(&module, Some(&permit)).unwrap();
        self.world.sealed_by(module, &allowed).await
    }

    /// What stands for AWS's root here.
    fn root(&self) -> Root {
        Root::from_pem(&self.world.file("nsm-root.pem")).unwrap()
    }

    pub fn inner_of(&self, blob: &[u8]) -> InnerBlob {
        let registers = self.world.registers();
        sealed_blob::open(blob, |at| registers.get(&at).copied()).unwrap()
    }

    pub fn bound(&self, inner: &InnerBlob) -> Vec<u8> {
        bind(inner, &Measurement::image(self.named().0)).unwrap()
    }

    /// What a document says.
    pub fn said(&self, document: &[u8]) -> (Verified, Claims) {
        let proven = verify(document, &self.root(), At::Document).unwrap();
        let claims = Claims::decode(proven.user_data.as_ref().unwrap()).unwrap();
        (proven, claims)
    }

    /// An enclave's security module with these registers, without the enclave.
    pub fn module(&self, registers: &[(u8, Pcr)]) -> Module {
        Module(self.world.module_of(registers))
    }

    /// A key that the parent knows, wrapped under the cluster's own keys.
    pub async fn own_making(&self) -> (MasterKey, InnerBlob) {
        let kms = self.kms(World::credentials());
        let encrypt = async |id: &str, share: &[u8], index| {
            let context = sealed_blob::encryption_context(CLUSTER, index, 1);
            let encrypt = kms.encrypt().key_id(key(id)).plaintext(Blob::new(share));
            let encrypt = encrypt.set_encryption_context(Some(context.into_iter().collect()));
            let reply = encrypt.send().await.unwrap();
            reply.ciphertext_blob.unwrap().into_inner()
        };
        manifest_makers::own_making(encrypt).await
    }

    /// From now on the keys admit the image only together with this manifest in PCR16.
    pub async fn pin(&self, manifest: &Manifest) {
        let mut pinned = Measurement::image(self.named().0);
        let register = manifest.digest().unwrap().register();
        pinned.registers.insert(16, register);
        let mut template = Template::in_account("aws", ACCOUNT, CLUSTER);
        template.pins = pinned.registers.keys().copied().collect();
        let policy = template.render(&[pinned]).to_json();
        let kms = self.kms(World::admin());
        for arn in request().keys {
            let put = kms.put_key_policy().key_id(arn).policy(&policy);
            put.send().await.unwrap();
        }
    }

    fn kms(&self, credentials: Credentials) -> Client {
        let credentials = SharedCredentialsProvider::new(credentials);
        let settings = config("us-east-1".into(), credentials).endpoint_url(self.world.endpoint());
        Client::from_conf(settings.build())
    }
}
