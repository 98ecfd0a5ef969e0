//! Questions for proof of the enclave's state: from whoever asks over HTTP to the agent, and back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

/// How long the agent may take: a document takes milliseconds, and it answers beside all other work.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the host asks a question of its own, to see whether anybody answers.
const PULSE: Duration = Duration::from_secs(30);
/// After so long without an answer the enclave is taken for dead.
const SILENCE: Duration = Duration::from_mins(2);

/// At most one question at a time: whoever asks all the time keeps nobody but other askers waiting.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    open: Mutex<Open>,
    asked: Notify,
    /// Since the first of the questions that were not answered in time.
    silent: Mutex<Option<Instant>>,
}

/// Both under one lock: a question that comes with the greeting is put to no agent that would end at it.
#[derive(Debug, Default)]
struct Open {
    question: Option<Question>,
    /// The agent is of an image that does not know the question, and would end at it.
    deaf: bool,
}

#[derive(Debug)]
struct Question {
    nonce: String,
    sent: bool,
    answer: oneshot::Sender<Result<String, String>>,
}

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoProof {
    /// Another question is open.
    Busy,
    /// No enclave runs, it does not answer, or it has nothing to prove: why.
    Silent(String),
}

impl Questions {
    fn silent(&self) -> MutexGuard<'_, Option<Instant>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Between two assignments nothing can panic, so a panic elsewhere leaves nothing half done.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the agent that has greeted knows the question. One that somebody asked before is not put to it, either.
    pub fn greeted(&self, attests: bool) {
        let mut open = self.lock();
        open.deaf = !attests;
        if open.deaf {
            open.question = None;
            drop(open);
            *self.silent() = None;
        }
    }

    /// Asks, and waits for the document (base64).
    pub async fn ask(&self, nonce: String) -> Result<String, NoProof> {
        let (answer, answered) = oneshot::channel();
        {
            let mut open = self.lock();
            if open.deaf {
                let why = "the enclave image is older than this host and does not attest";
                return Err(NoProof::Silent(why.to_owned()));
            }
            // A question whose asker went away is open no more.
            let before = open.question.as_ref();
            if before.is_some_and(|question| !question.answer.is_closed()) {
                return Err(NoProof::Busy);
            }
            open.question = Some(Question {
                nonce,
                sent: false,
                answer,
            });
        }
        self.asked.notify_one();
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(said)) => said.map_err(NoProof::Silent),
            Ok(Err(_)) => Err(NoProof::Silent("the enclave ended".to_owned())),
            Err(_) => {
                self.lock().question = None;
                self.silent().get_or_insert_with(Instant::now);
                let why = "the enclave did not answer within 5 s";
                Err(NoProof::Silent(why.to_owned()))
            }
        }
    }

    /// The nonce of the next question that the agent was not asked yet. Cancellation loses nothing.
    pub async fn next(&self) -> String {
        loop {
            let asked = self.asked.notified();
            if let Some(question) = self.lock().question.as_mut()
                && !question.sent
            {
                question.sent = true;
                return question.nonce.clone();
            }
            asked.await;
        }
    }

    /// The agent's answer; one to a question that nobody has is dropped.
    pub fn answered(&self, nonce: &str, said: Result<String, String>) {
        *self.silent() = None;
        let mut open = self.lock();
        let asked = open.question.as_ref();
        if asked.is_some_and(|question| question.nonce == nonce)
            && let Some(question) = open.question.take()
        {
            // The asker may be gone.
            let _ = question.answer.send(said);
        }
    }

    /// The enclave is gone, and with it who could answer.
    pub fn lost(&self) {
        self.lock().question = None;
        *self.silent() = None;
    }

    /// Asks now and then, and resolves when the agent has not answered anybody for long.
    pub async fn fell_silent(&self) {
        for pulse in 0_u64.. {
            sleep(PULSE).await;
            // What it says is of no interest, and proves nothing to anybody.
            let _ = self.ask(format!("{pulse:032x}")).await;
            let since = *self.silent();
            if since.is_some_and(|since| since.elapsed() >= SILENCE) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn one_question_at_a_time_reaches_the_agent_and_its_answer_comes_back() {
        let questions = Arc::new(Questions::default());
        let asker = Arc::clone(&questions);
        let answer = tokio::spawn(async move { asker.ask("aa".into()).await });
        assert_eq!(questions.next().await, "aa");
        assert_eq!(questions.ask("bb".into()).await, Err(NoProof::Busy));
        questions.answered("bb", Ok("of nobody".into()));
        questions.answered("aa", Ok("document".into()));
        assert_eq!(answer.await.unwrap(), Ok("document".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_answers_nobody_falls_silent_and_one_that_answers_late_does_not() {
        let began = Instant::now();
        Questions::default().fell_silent().await;
        assert!(began.elapsed() >= SILENCE, "{:?}", began.elapsed());
        assert!(began.elapsed() < SILENCE * 2, "{:?}", began.elapsed());
        let questions = Questions::default();
        let late = async {
            loop {
                let nonce = questions.next().await;
                sleep(PATIENCE * 2).await;
                questions.answered(&nonce, Ok("document".into()));
            }
        };
        let hour = Duration::from_hours(1);
        tokio::select! {
            () = questions.fell_silent() => panic!("it answers, if late"),
            () = late => {}
            () = sleep(hour) => {}
        }
    }

    /// It would end at a message that it does not know, and with it the workload.
    #[tokio::test(start_paused = true)]
    async fn an_agent_that_does_not_know_the_question_is_not_asked() {
        let questions = Arc::new(Questions::default());
        let asker = Arc::clone(&questions);
        let early = tokio::spawn(async move { asker.ask("ee".into()).await });
        tokio::task::yield_now().await;
        questions.greeted(false);
        assert!(matches!(early.await.unwrap(), Err(NoProof::Silent(_))));
        let later = questions.ask("aa".into()).await;
        assert!(matches!(later, Err(NoProof::Silent(why)) if why.contains("older than this host")));
        tokio::select! {
            nonce = questions.next() => panic!("it was asked with {nonce}"),
            () = questions.fell_silent() => panic!("it was not asked, so it owes no answer"),
            () = sleep(Duration::from_hours(1)) => {}
        }
        // The next enclave may be another image's.
        questions.greeted(true);
        let (answer, ()) = tokio::join!(questions.ask("bb".into()), async {
            let nonce = questions.next().await;
            questions.answered(&nonce, Ok("document".into()));
        });
        assert_eq!(answer, Ok("document".into()));
    }

    /// However both fall together, no question stays open for an agent that would end at it.
    #[test]
    fn a_question_that_comes_with_the_greeting_is_not_put_to_an_agent_that_does_not_know_it() {
        let clock = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap()
        };
        // Asks, and goes away; until it is told that nobody would answer.
        let asks = |questions: &Questions| {
            clock().block_on(async {
                loop {
                    tokio::select! {
                        biased;
                        _ = questions.ask("aa".into()) => return,
                        () = std::future::ready(()) => {}
                    }
                }
            });
        };
        for _ in 0..500 {
            let questions = Questions::default();
            std::thread::scope(|both| {
                both.spawn(|| asks(&questions));
                while questions.lock().question.is_none() {
                    std::thread::yield_now();
                }
                questions.greeted(false);
            });
            assert!(questions.lock().question.is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_enclave_that_ends_or_says_nothing_is_silent() {
        let questions = Arc::new(Questions::default());
        let silent = questions.ask("aa".into()).await;
        assert!(matches!(silent, Err(NoProof::Silent(why)) if why.contains("within 5 s")));
        let asker = Arc::clone(&questions);
        let answer = tokio::spawn(async move { asker.ask("bb".into()).await });
        questions.next().await;
        questions.lost();
        let ended = answer.await.unwrap();
        assert_eq!(ended, Err(NoProof::Silent("the enclave ended".into())));
    }
}
