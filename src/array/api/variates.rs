//! Random arrays of further distributions: made of uniform, normal, exponential and gamma numbers, or drawn one by one.

use super::{create::check_finite, operators::select};
use crate::array::{Array, Chunks, Random, Real, kernel::generate::Distribution, random::Variate};
use std::f64::consts::PI;

/// The most things of a kind in an urn.
const URN_MAX: u64 = 1_000_000_000;

/// What a parameter must be, besides finite.
#[derive(Clone, Copy, PartialEq)]
enum Limit {
    Any,
    NotNegative,
    Positive,
}

#[track_caller]
fn check<T: Real>(function: &str, argument: &str, value: f64, limit: Limit) {
    check_finite::<T>(function, argument, value);
    match limit {
        Limit::Any => {}
        Limit::NotNegative => {
            assert!(value >= 0.0, "{function}: {argument} is {value}, it must be at least 0")
        }
        Limit::Positive => assert!(value > 0.0, "{function}: {argument} is {value}, it must be more than 0"),
    }
}

/// Makes arrays of one shape.
struct Source<'a> {
    random: &'a Random,
    shape: Vec<usize>,
    chunks: Chunks,
}

impl Source<'_> {
    fn uniform(&self) -> Array<f64> {
        self.random.uniform(0.0, 1.0, self.shape.clone(), self.chunks.clone())
    }

    fn normal(&self) -> Array<f64> {
        self.random.normal(0.0, 1.0, self.shape.clone(), self.chunks.clone())
    }

    /// Exponential numbers of mean 1, none of them zero.
    fn exponential(&self) -> Array<f64> {
        let numbers = self.random.exponential::<f64>(1.0, self.shape.clone(), self.chunks.clone());
        numbers.maximum(f64::MIN_POSITIVE)
    }

    fn gamma(&self, shape: f64, scale: f64) -> Array<f64> {
        self.random.gamma(shape, scale, self.shape.clone(), self.chunks.clone())
    }

    fn variate(&self, variate: Variate) -> Array<f64> {
        self.random.generate(Distribution::Variate(variate), self.shape.clone(), self.chunks.clone())
    }
}

macro_rules! real_numbers {
    ($($(#[$doc:meta])* $name:ident($($parameter:ident $limit:ident),*) $source:ident => $numbers:expr;)*) => {
        impl Random { $(
            $(#[$doc])*
            ///
            /// # Panics
            ///
            /// Panics if a parameter is not finite in the type of the elements or out of the range of the distribution, or
            /// the chunks do not fit the shape.
            #[track_caller]
            pub fn $name<T: Real>(
                &self,
                $($parameter: f64,)*
                shape: impl Into<Vec<usize>>,
                chunks: impl Into<Chunks>,
            ) -> Array<T> {
                $(check::<T>(stringify!($name), stringify!($parameter), $parameter, Limit::$limit);)*
                let $source = Source { random: self, shape: shape.into(), chunks: chunks.into() };
                $numbers.cast()
            }
        )* }
    };
}

real_numbers! {
    /// Returns numbers of the chi-square distribution with so many degrees of freedom, which is positive: NumPy's
    /// `chisquare`.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).chisquare::<f64>(3.0, [10_000], 1000);
    /// assert!((x.mean().compute()? - 3.0).abs() < 0.2);
    /// # Ok(()) }).unwrap();
    /// ```
    chisquare(freedom Positive) source => source.gamma(freedom / 2.0, 2.0);
    /// Returns numbers of the noncentral chi-square distribution: NumPy's `noncentral_chisquare`. `freedom` is positive,
    /// `noncentrality` is from 0 to 2^62.
    noncentral_chisquare(freedom Positive, noncentrality NotNegative) source => {
        source.variate(Variate::NoncentralChiSquare { freedom, noncentrality })
    };
    /// Returns numbers of Fisher's F distribution with so many degrees of freedom above and below, which are positive:
    /// NumPy's `f`.
    f(above Positive, below Positive) source => {
        source.gamma(above / 2.0, 2.0 / above) / source.gamma(below / 2.0, 2.0 / below)
    };
    /// Returns numbers of the noncentral F distribution: NumPy's `noncentral_f`. The degrees of freedom are positive,
    /// `noncentrality` is from 0 to 2^62.
    noncentral_f(above Positive, below Positive, noncentrality NotNegative) source => {
        let numbers = source.variate(Variate::NoncentralChiSquare { freedom: above, noncentrality });
        numbers / above / source.gamma(below / 2.0, 2.0 / below)
    };
    /// Returns numbers of Gumbel's distribution of largest values around `location`: NumPy's `gumbel`. `scale` is at least 0.
    gumbel(location Any, scale NotNegative) source => source.exponential().ln() * -scale + location;
    /// Returns numbers of Laplace's distribution around `location`, the double exponential one: NumPy's `laplace`. `scale`
    /// is at least 0.
    laplace(location Any, scale NotNegative) source => {
        (source.exponential() - source.exponential()) * scale + location
    };
    /// Returns numbers of the logistic distribution around `location`: NumPy's `logistic`. `scale` is at least 0.
    logistic(location Any, scale NotNegative) source => {
        (source.exponential() / source.exponential()).ln() * scale + location
    };
    /// Returns numbers of Lomax's distribution, that of Pareto less 1: NumPy's `pareto`. `exponent` is positive.
    pareto(exponent Positive) source => (source.exponential() / exponent).exp_m1();
    /// Returns numbers from 0 to 1 whose density is as x to the power of `exponent - 1`: NumPy's `power`. `exponent` is
    /// positive.
    power(exponent Positive) source => (source.exponential() / -exponent).exp();
    /// Returns numbers of Rayleigh's distribution: NumPy's `rayleigh`. `scale` is at least 0.
    rayleigh(scale NotNegative) source => (source.exponential() * 2.0).sqrt() * scale;
    /// Returns numbers of Cauchy's distribution: NumPy's `standard_cauchy`.
    standard_cauchy() source => source.normal() / source.normal();
    /// Returns numbers of Student's t distribution with so many degrees of freedom, which is positive: NumPy's
    /// `standard_t`.
    standard_t(freedom Positive) source => {
        source.normal() / source.gamma(freedom / 2.0, 2.0 / freedom).sqrt()
    };
    /// Returns angles from -pi to pi around `mean`, in radians: von Mises's distribution, NumPy's `vonmises`.
    /// `concentration` is at least 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let angles = client.random(1).vonmises::<f64>(0.5, 4.0, [10_000], 1000);
    /// assert!((angles.sin().mean().compute()? / angles.cos().mean().compute()? - 0.5f64.tan()).abs() < 0.05);
    /// # Ok(()) }).unwrap();
    /// ```
    vonmises(mean Any, concentration NotNegative) source => {
        // `mean` modulo a turn, so that a sum with an angle is exact.
        let mean = (mean + PI).rem_euclid(2.0 * PI) - PI;
        source.variate(Variate::VonMises { mean, concentration })
    };
    /// Returns numbers of the inverse Gaussian distribution: NumPy's `wald`. `mean` and `scale` are positive.
    wald(mean Positive, scale Positive) source => source.variate(Variate::Wald { mean, scale });
    /// Returns numbers of Weibull's distribution of scale 1: NumPy's `weibull`. `exponent` is positive.
    weibull(exponent Positive) source => source.exponential().pow(1.0 / exponent);
}

/// Panics at the caller's line if a probability of a distribution is not from 0 to 1, or one of the ends that it lacks.
#[track_caller]
fn check_probability(function: &str, probability: f64, has_zero: bool, has_one: bool) {
    let is_inside = probability > 0.0 && probability < 1.0;
    let is_end = has_zero && probability == 0.0 || has_one && probability == 1.0;
    let ends = [if has_zero { "from 0" } else { "above 0" }, if has_one { "up to 1" } else { "below 1" }];
    assert!(
        is_inside || is_end,
        "{function}: probability is {probability}, it must be {} and {}",
        ends[0],
        ends[1]
    );
}

impl Random {
    /// Returns numbers of the triangular distribution from `left` to `right`, whose density is largest at `mode`: NumPy's
    /// `triangular`.
    ///
    /// # Panics
    ///
    /// Panics if `left <= mode <= right` and `left < right` do not hold, one is not finite in the type of the elements, or
    /// the chunks do not fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).triangular::<f64>(0.0, 1.0, 5.0, [10_000], 1000);
    /// assert!((x.mean().compute()? - 2.0).abs() < 0.1);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn triangular<T: Real>(
        &self,
        left: f64,
        mode: f64,
        right: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<T> {
        for (argument, value) in [("left", left), ("mode", mode), ("right", right)] {
            check_finite::<T>("triangular", argument, value);
        }
        assert!(
            left <= mode && mode <= right && left < right,
            "triangular: left, mode and right are {left}, {mode} and {right}, they must be in this order"
        );
        let source = Source { random: self, shape: shape.into(), chunks: chunks.into() };
        let (uniform, width) = (source.uniform(), right - left);
        let below = (&uniform * ((mode - left) * width)).sqrt() + left;
        let above = -((1.0 - &uniform) * ((right - mode) * width)).sqrt() + right;
        select(&uniform.lt((mode - left) / width), below, above).cast()
    }

    /// Returns how many trials it takes until one succeeds, with this probability each: the geometric distribution, NumPy's
    /// `geometric`.
    ///
    /// # Panics
    ///
    /// Panics if `probability` is not above 0 and up to 1, or the chunks do not fit the shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let x = client.random(1).geometric(0.25, [10_000], 1000);
    /// assert!((x.mean().compute()? - 4.0).abs() < 0.2);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn geometric(
        &self,
        probability: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<i64> {
        check_probability("geometric", probability, false, true);
        let source = Source { random: self, shape: shape.into(), chunks: chunks.into() };
        (source.exponential() / -(-probability).ln_1p()).ceil().maximum(1.0).cast()
    }

    /// Returns how many trials fail before `successes` succeed, with this probability each: NumPy's `negative_binomial`.
    /// `successes` need not be whole.
    ///
    /// # Panics
    ///
    /// Panics if `successes` is not positive and finite, `probability` is not above 0 and up to 1, the mean is more than
    /// 2^53, or the chunks do not fit the shape.
    #[track_caller]
    pub fn negative_binomial(
        &self,
        successes: f64,
        probability: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<i64> {
        check::<f64>("negative_binomial", "successes", successes, Limit::Positive);
        check_probability("negative_binomial", probability, false, true);
        let mean = successes * (1.0 - probability) / probability;
        assert!(
            mean <= (1u64 << 53) as f64,
            "negative_binomial: the mean is {mean}, it must be at most 2^53"
        );
        let variate = Variate::NegativeBinomial { successes, probability };
        self.generate(Distribution::Variate(variate), shape.into(), chunks.into())
    }

    /// Returns how many of `drawn` things are of the good kind, which are drawn without replacement from `good` and `bad`
    /// ones: NumPy's `hypergeometric`.
    ///
    /// # Panics
    ///
    /// Panics if `good` or `bad` is more than 10^9, more things are drawn than there are, or the chunks do not fit the
    /// shape.
    ///
    /// # Examples
    ///
    /// ```
    /// # maniple::Runtime::builder().execute(|client| {
    /// let aces = client.random(1).hypergeometric(4, 48, 13, [10_000], 1000);
    /// assert!((aces.mean().compute()? - 1.0).abs() < 0.05);
    /// # Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn hypergeometric(
        &self,
        good: u64,
        bad: u64,
        drawn: u64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<i64> {
        assert!(
            good <= URN_MAX && bad <= URN_MAX,
            "hypergeometric: good is {good} and bad is {bad}, they must be at most {URN_MAX}"
        );
        assert!(drawn <= good + bad, "hypergeometric: drawn is {drawn}, there are {} things", good + bad);
        let variate = Variate::Hypergeometric { good, bad, drawn };
        self.generate(Distribution::Variate(variate), shape.into(), chunks.into())
    }

    /// Returns whole numbers k from 1 on whose probabilities are as `probability^k / k`: NumPy's `logseries`.
    ///
    /// # Panics
    ///
    /// Panics if `probability` is not from 0 to below 1, or the chunks do not fit the shape.
    #[track_caller]
    pub fn logseries(
        &self,
        probability: f64,
        shape: impl Into<Vec<usize>>,
        chunks: impl Into<Chunks>,
    ) -> Array<i64> {
        check_probability("logseries", probability, true, false);
        self.generate(Distribution::Variate(Variate::LogSeries { probability }), shape.into(), chunks.into())
    }

    /// Returns whole numbers k from 1 to 2^62 whose probabilities are as k to the power of `-exponent`: NumPy's `zipf`.
    ///
    /// # Panics
    ///
    /// Panics if `exponent` is not more than 1 and finite, or the chunks do not fit the shape.
    #[track_caller]
    pub fn zipf(&self, exponent: f64, shape: impl Into<Vec<usize>>, chunks: impl Into<Chunks>) -> Array<i64> {
        check_finite::<f64>("zipf", "exponent", exponent);
        assert!(exponent > 1.0, "zipf: exponent is {exponent}, it must be more than 1");
        self.generate(Distribution::Variate(Variate::Zipf { exponent }), shape.into(), chunks.into())
    }
}
