# Reference values for calibration, recalibration and decision curves. Run in this folder: Rscript golden.R
# glm runs to epsilon = 1e-14: at its default of 1e-8 the standard error is off in the fourth digit. Even then vcov() holds
# the weights of the last step but one, so the covariance is taken from the fitted values.
suppressPackageStartupMessages(library(rms))
set.seed(20240607)
options(digits = 17)
save_csv <- function(frame, file) {
  text <- format(frame, digits = 17, trim = TRUE)
  text[is.na(frame)] <- ""
  write.csv(text, file, row.names = FALSE, quote = FALSE)
}
quietly <- function(expression) suppressWarnings(expression)

# ---- cases ------------------------------------------------------------------------------------------------------
case_set <- function(name, patient, label, logit) data.frame(set = name, patient = patient, label = label, logit = round(logit, 5))
drawn <- function(truth) rbinom(length(truth), 1, plogis(truth))
plain <- rnorm(160, -.5, 1.5); tied <- round(2 * rnorm(150)) / 2; rare <- rnorm(200, -3.5, 1.2)
confident <- rnorm(120, 0, 5); small <- rnorm(24); floored <- c(rep(qlogis(.01), 50), rnorm(70, 0, 1.5))
size <- sample(1:4, 70, TRUE); patient <- rep(seq_along(size), size)
several <- rnorm(70)[patient] + rnorm(length(patient)) * .5
cases <- rbind(
  case_set("plain", seq_along(plain), drawn(.7 * plain + .4), plain),
  case_set("tied", seq_along(tied), drawn(tied), tied),
  case_set("rare", seq_along(rare), drawn(rare + .8), rare),
  case_set("overconfident", seq_along(confident), drawn(.2 * confident), confident),
  case_set("small", seq_along(small), drawn(small), small),
  case_set("floor", seq_along(floored), drawn(.5 * floored), floored),
  case_set("perfect", 1:20, rep(0:1, each = 10), seq(-3, 3.65, .35)),
  case_set("constant", 1:20, rep(c(0, 0, 0, 1), 5), rep(-.7, 20)),
  case_set("several", patient, drawn(several + rnorm(70)[patient] * 1.5), several))
save_csv(cases, "cases.csv")
cases <- read.csv("cases.csv")
by_set <- split(cases, factor(cases$set, levels = unique(cases$set)))

# ---- Brier, slope, intercept, O:E, ICI, Spiegelhalter -----------------------------------------------------------
tight <- glm.control(epsilon = 1e-14, maxit = 100)
covariance_of <- function(fit) solve(crossprod(model.matrix(fit) * sqrt(fitted(fit) * (1 - fitted(fit)))))
estimates <- function(fit) cbind(coef(fit), sqrt(diag(covariance_of(fit))))
summarized <- function(g) {
  p <- plogis(g$logit); y <- g$label; z <- qnorm(.975); n <- length(y); fits <- !g$set[1] %in% c("perfect", "constant")
  joint <- if (fits) estimates(glm(y ~ g$logit, family = binomial, control = tight)) else matrix(NA, 2, 2)
  fixed <- estimates(glm(y ~ 1, offset = g$logit, family = binomial, control = tight))
  se_log <- sqrt((1 - mean(y)) / sum(y)) # Debray et al. 2017
  away <- if (g$set[1] == "constant") rep(NA, n) else abs(fitted(quietly(loess(y ~ p, span = .75, degree = 2))) - p)
  rms_p <- tryCatch(quietly(val.prob(p, y, pl = FALSE)), error = function(e) NULL)
  of_rms <- function(name) if (is.null(rms_p)) NA else unname(rms_p[name])
  data.frame(set = g$set[1], brier = mean((p - y)^2), brier_rms = of_rms("Brier"),
    intercept = joint[1, 1], intercept_se = joint[1, 2], slope = joint[2, 1], slope_se = joint[2, 2],
    slope_rms = if (fits) of_rms("Slope") else NA, large = fixed[1, 1], large_se = fixed[1, 2],
    ratio = sum(y) / sum(p), ratio_low = sum(y) / sum(p) * exp(-z * se_log), ratio_high = sum(y) / sum(p) * exp(z * se_log),
    ici = mean(away), e50 = unname(quantile(away, .5, na.rm = TRUE)), e90 = unname(quantile(away, .9, na.rm = TRUE)),
    ici_rms = of_rms("Eavg"), e90_rms = of_rms("E90"), z_rms = of_rms("S:z"), p_rms = of_rms("S:p"))
}
save_csv(do.call(rbind, lapply(by_set, summarized)), "calibration.csv")

# ---- several images per patient: the sandwich from sums per patient, with K / (K - 1), in loops ------------------
g <- by_set$several
joint <- glm(label ~ logit, data = g, family = binomial, control = tight)
fixed <- glm(label ~ 1, offset = logit, data = g, family = binomial, control = tight)
everyone <- unique(g$patient); k <- length(everyone)
meat <- matrix(0, 2, 2); meat_large <- meat_ratio <- meat_z <- 0
p <- plogis(g$logit)
for (who in everyone) {
  mine <- which(g$patient == who); score <- c(0, 0); large <- ratio <- lean <- 0
  for (i in mine) {
    score <- score + (g$label[i] - fitted(joint)[i]) * c(1, g$logit[i])
    large <- large + g$label[i] - fitted(fixed)[i]
    ratio <- ratio + g$label[i] - mean(g$label)
    lean <- lean + (g$label[i] - p[i]) * (1 - 2 * p[i])
  }
  meat <- meat + score %o% score; meat_large <- meat_large + large^2; meat_ratio <- meat_ratio + ratio^2; meat_z <- meat_z + lean^2
}
factor_k <- k / (k - 1)
covariance <- factor_k * covariance_of(joint) %*% meat %*% covariance_of(joint)
save_csv(data.frame(intercept_se = sqrt(covariance[1, 1]), slope_se = sqrt(covariance[2, 2]),
  large_se = sqrt(factor_k * meat_large) * covariance_of(fixed)[1, 1], log_ratio_se = sqrt(factor_k * meat_ratio) / sum(g$label),
  z = sum((g$label - p) * (1 - 2 * p)) / sqrt(factor_k * meat_z)), "several.csv")
robust <- sqrt(diag(vcov(robcov(lrm(label ~ logit, data = g, x = TRUE, y = TRUE, eps = 1e-10), g$patient))))
stopifnot(abs(robust * sqrt(factor_k) / sqrt(diag(covariance)) - 1) < 1e-6)

# ---- curves and groups ------------------------------------------------------------------------------------------
curves <- groups <- NULL
for (name in c("plain", "tied", "floor")) {
  g <- by_set[[name]]; p <- plogis(g$logit); y <- g$label; grid <- seq(min(p), max(p), length.out = 11)
  curves <- rbind(curves, data.frame(set = name, predicted = grid,
    loess = predict(quietly(loess(y ~ p, span = .75, degree = 2)), grid), lowess = approx(lowess(p, y, iter = 0), xout = grid, ties = mean)$y))
  part <- cut(p, unique(c(-Inf, quantile(p, 1:9 / 10), Inf)))
  for (level in levels(part)) {
    mine <- part == level
    if (any(mine)) groups <- rbind(groups, data.frame(set = name, predicted = mean(p[mine]), observed = mean(y[mine]), n = sum(mine),
      n_positive = sum(y[mine]), low = binom.test(sum(y[mine]), sum(mine))$conf.int[1], high = binom.test(sum(y[mine]), sum(mine))$conf.int[2]))
  }
}
save_csv(curves, "curves.csv"); save_csv(groups, "groups.csv")

# ---- isotonic regression ----------------------------------------------------------------------------------------
g <- by_set$plain[order(by_set$plain$logit), ]
save_csv(data.frame(logit = g$logit, label = g$label, fitted = isoreg(g$logit, g$label)$yf), "isotonic.csv")

# ---- net benefit from the definition; risks rounded so that some equal a threshold -------------------------------
thresholds <- c(.01, .05, .1, .2, .3, .5, .8, .95)
benefits <- NULL
for (name in c("plain", "tied", "rare", "perfect", "constant")) {
  g <- by_set[[name]]; risk <- round(plogis(g$logit), 1); n <- nrow(g)
  for (t in thresholds) {
    true_positive <- false_positive <- all_negative <- 0
    for (i in seq_len(n)) {
      if (risk[i] >= t && g$label[i] == 1) true_positive <- true_positive + 1
      if (risk[i] >= t && g$label[i] == 0) false_positive <- false_positive + 1
      if (g$label[i] == 0) all_negative <- all_negative + 1
    }
    benefits <- rbind(benefits, data.frame(set = name, threshold = t, net_benefit = true_positive / n - false_positive / n * t / (1 - t),
      treat_all = (n - all_negative) / n - all_negative / n * t / (1 - t)))
  }
}
save_csv(benefits, "net_benefit.csv")

writeLines(c(R.version.string, paste("rms", packageVersion("rms"))), "versions.txt")
